"""`gateway init` and `gateway check`: a new site is complete, nothing is overwritten, what is wrong is named."""

import re
import stat
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from at_the_terminal import Command
from pydantic import BaseModel

from gateway.cli.site import SITE_FILES
from gateway.config import (
    Route,
    Settings,
    load_settings,
)
from gateway.critical_rules import CriticalLevel, CriticalTimesRule, SmtpNotifier, WebhookNotifier
from gateway.database.embedded import create_database, drop_database
from gateway.migrate import newest
from gateway.partner_config import FieldLimit, InsurancePlatform, MappedOperation, Partner, Success
from gateway.partner_security import Auth, Login, Tls

PARTNER = 'url = "http://user:hidden@127.0.0.1:1/soap"\n'


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key a settings file may hold, tables with their keys."""
    for name, information in model.model_fields.items():
        kind = information.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys_of(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def with_every_line(template: str) -> dict[str, Any]:
    """The template with its shown lines switched on."""
    text = (SITE_FILES / template).read_text(encoding="utf-8")
    return tomllib.loads(re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE))


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return found


def test_a_new_site_says_what_it_has_made(gateway: Command, tmp_path: Path):
    said = gateway("init", "--folder", tmp_path / "site")
    made = [line.split()[1] for line in said.out.splitlines() if line.startswith("made")]
    names = [
        "gateway.toml",
        "secret.key",
        *(f"partners/{n}/partner.toml.example" for n in ("HIS", "PACS", "LIS", "EMR")),
    ]
    assert sorted(made) == sorted(str(tmp_path / "site" / name) for name in names)
    assert "write your hospital's code into" in said.err


def test_only_its_owner_can_read_the_files_of_a_site(empty_site: Path):
    files = [path for path in empty_site.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_second_init_overwrites_nothing(gateway: Command, empty_site: Path):
    (empty_site / "partners" / "LIS" / "partner.toml.example").unlink()
    before = {path: path.read_bytes() for path in empty_site.rglob("*") if path.is_file()}
    said = gateway("init")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()].count("kept") == len(before)
    assert {path: path.read_bytes() for path in before} == before
    assert "overwritten" in gateway("init", "--hospital-code", "H2").mistake


@pytest.mark.parametrize("code", ["", 'H"1', "H\\1", "医院", "x" * 23, "a b"])
def test_a_hospital_code_nobody_could_send_is_refused(gateway: Command, tmp_path: Path, code: str):
    said = gateway("init", "--folder", tmp_path / "site", "--hospital-code", code)
    assert (said.code, "22 visible ASCII" in said.mistake) == (2, True)
    assert not (tmp_path / "site").exists()


def test_a_new_site_keeps_every_default(empty_site: Path):
    settings = load_settings(empty_site)
    assert settings == Settings(folder=empty_site, hospital_code="H1")


def test_the_file_of_a_new_site_shows_every_setting():
    shown = flat(with_every_line("gateway.toml"))
    routes, points = shown.pop("routes"), shown.pop("rules.charge_points")
    channels = shown.pop("notifiers")
    timers, chain = shown.pop("rules.critical.timers"), shown.pop("rules.critical.chain")
    tables = {"folder", "partners", "routes", "notifiers", "rules.charge_points"}
    tables |= {"rules.critical.timers", "rules.critical.chain"}
    assert set(shown) == set(keys_of(Settings)) - tables
    assert set().union(*timers) < set(CriticalTimesRule.model_fields)
    assert set().union(*chain) == set(CriticalLevel.model_fields)
    for channel in channels:
        fields = (WebhookNotifier if channel["kind"] == "webhook" else SmtpNotifier).model_fields
        assert set(channel) == set(fields) - {"secret", "timeout_seconds"} | {"secret_file"}
    assert set().union(*routes) == set(Route.model_fields)
    assert set().union(*points) == {"hospital_code", "perform_dept", "visit_type", "effective_from", "charge_point"}


def test_the_file_of_a_new_site_shows_the_defaults():
    shown = flat(with_every_line("gateway.toml"))
    examples = {"hospital_code", "public_url", "database_url", "node", "routes", "rules.charge_points"}
    examples |= {"rules.critical.timers", "rules.critical.chain", "notifiers"}
    examples |= {"reconciliation.nightly", "reconciliation.his", "storage.database_megabytes"}
    examples |= {f"storage.{what}_months" for what in ("journal", "delivery", "key")}
    defaults = flat(Settings(folder=Path("/"), hospital_code="H").model_dump(mode="json"))
    assert {key: value for key, value in shown.items() if key not in examples} == {
        key: defaults[key] for key in shown if key not in examples
    }


def test_the_example_of_a_partner_shows_every_setting_with_its_default():
    shown = with_every_line("partner.toml")
    assert set(shown) == set(Partner.model_fields) - {"name", "folder", "files", "password"} | {"password_file"}
    tables = {"tls": Tls, "auth": Auth, "fields": FieldLimit, "operations": MappedOperation}
    for name, part in tables.items():
        table = shown[name][0] if name == "fields" else shown[name]
        table = table["SubmitRequisition"] if name == "operations" else table
        from_files = {"key_password": "key_password_file", "secrets": "secret_files"}
        assert set(table) == {from_files.get(key, key) for key in part.model_fields}
    assert set(shown["auth"]["login"]) == set(Login.model_fields)
    assert set(shown["operations"]["SubmitRequisition"]["success"]) == set(Success.model_fields)
    examples = ("url", "client", "username", "password_file", "maintenance", "wsdl", "service", "port", "parameters")
    examples += (*tables, "success")
    defaults = Partner(name="X", url="http://x/").model_dump(mode="json")  # type: ignore[arg-type]
    platform = shown.pop("insurance")
    assert set(platform) == set(InsurancePlatform.model_fields) - {"secret"} | {"secret_file"}
    assert InsurancePlatform(**{k: v for k, v in platform.items() if k != "secret_file"}) == InsurancePlatform(
        **{k: platform[k] for k in ("fixmedins_code", "mdtrtarea_admvs", "insuplc_admdvs")}
    )
    assert {k: v for k, v in shown.items() if k not in examples} == {k: defaults[k] for k in shown if k not in examples}


def test_the_examples_become_partners_by_renaming_them(gateway: Command, empty_site: Path):
    for example in empty_site.glob("partners/*/partner.toml.example"):
        example.rename(example.with_suffix(""))
    assert [partner.name for partner in load_settings(empty_site).partners] == ["EMR", "HIS", "LIS", "PACS"]


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_site_in_order_has_only_ticks(gateway: Command, site: Path):
    said = gateway("check")
    assert (said.code, said.err) == (0, "")
    assert [line.split(":")[0] for line in said.out.splitlines()] == [
        "✓ contract", "✓ key file", "✓ settings", "✓ partners", "✓ database",
    ]  # fmt: skip


def crossed(gateway: Command) -> str:
    """The one thing that is wrong."""
    said = gateway("check")
    assert said.code == 1
    assert said.mistake == "1 of the above must be put right."
    lines = [line for line in said.out.splitlines() if line.startswith("✗")]
    assert len(lines) == 1, said.out
    return lines[0]


def test_wrong_settings_are_named(gateway: Command, site: Path):
    (site / "gateway.toml").write_text('hospital_code = "H1"\nprot = 1')
    assert "gateway.toml: prot" in crossed(gateway)


def test_a_hospital_code_nobody_has_filled_in_is_named(gateway: Command, site: Path):
    (site / "gateway.toml").write_text('hospital_code = "MY-HOSPITAL"')
    assert "hospital_code is still MY-HOSPITAL" in crossed(gateway)


def test_an_address_nobody_could_call_does_not_get_into_the_wsdl(
    gateway: Command, site: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GATEWAY_SERVER__HOST", "0.0.0.0")
    assert "public_url is needed: server.host 0.0.0.0" in crossed(gateway)
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "http://gateway.example.org:8080")
    assert gateway("check").code == 0


def test_a_key_file_others_can_read_is_named(gateway: Command, site: Path):
    (site / "secret.key").chmod(0o644)
    assert "run chmod 600" in crossed(gateway)


def test_a_lost_key_file_is_named(gateway: Command, site: Path):
    (site / "secret.key").unlink()
    assert "secret.key cannot be read" in crossed(gateway)


def test_a_partner_is_shown_without_the_password_in_its_address(gateway: Command, site: Path):
    (site / "partners" / "HIS" / "partner.toml").write_text(PARTNER)
    said = gateway("check")
    assert "HIS http://127.0.0.1:1/soap" in said.out
    assert "hidden" not in said.out + said.err


def test_partners_that_could_not_be_told_apart_are_named(gateway: Command, site: Path):
    (site / "partners" / "HIS" / "partner.toml").write_text(PARTNER)
    (site / "partners" / "LIS" / "partner.toml").write_text(PARTNER + 'client = "HIS"')
    assert "Two partners call under the client name HIS" in crossed(gateway)


def test_a_password_without_a_user_is_named(gateway: Command, site: Path):
    (site / "partners" / "HIS" / "partner.toml").write_text(PARTNER + 'password = "hidden"')
    assert "Partner HIS has a password but no username" in crossed(gateway)


def test_a_route_of_an_operation_that_does_not_exist_is_named(gateway: Command, site: Path):
    (site / "partners" / "HIS" / "partner.toml").write_text(PARTNER)
    with (site / "gateway.toml").open("a") as file:
        file.write('[[routes]]\noperation = "Submit"\npartners = ["HIS"]\n')
    assert "routes[1] names the operation Submit, which does not exist" in crossed(gateway)


def test_a_database_that_is_not_there_is_named(gateway: Command, empty_site: Path):
    assert "There is no database in" in crossed(gateway)


def test_tables_that_were_never_made_are_named(
    gateway: Command, empty_site: Path, database_server: str, monkeypatch: pytest.MonkeyPatch
):
    name = f"cli_{uuid.uuid4().hex}"
    monkeypatch.setenv("GATEWAY_DATABASE_URL", create_database(database_server, name))
    assert "The tables are at revision none, this version needs" in crossed(gateway)
    assert "run `gateway migrate`" in gateway("client", "list").mistake
    assert gateway("migrate").out == f"The tables are at revision {newest()}.\n"
    assert gateway("check").code == 0
    drop_database(database_server, name)
