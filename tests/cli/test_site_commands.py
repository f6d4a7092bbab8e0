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
from gateway.database_config import DatabaseAccess, Detail, Mark, Poll
from gateway.migrate import newest
from gateway.partner_config import FieldLimit, Hook, InsurancePlatform, MappedOperation, Partner, Success
from gateway.partner_security import Auth, Login, Tls
from tests.partners.certificates import Authority

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
    tables = {"folder", "partners", "facades", "routes", "notifiers", "rules.charge_points"}
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
    examples |= {"rules.critical.timers", "rules.critical.chain", "notifiers", "hl7"}
    examples |= {"reconciliation.nightly", "reconciliation.his", "storage.database_megabytes"}
    examples |= {f"storage.{what}_months" for what in ("journal", "delivery", "key")}
    defaults = flat(Settings(folder=Path("/"), hospital_code="H").model_dump(mode="json"))
    assert {key: value for key, value in shown.items() if key not in examples} == {
        key: defaults[key] for key in shown if key not in examples
    }


def test_the_example_of_a_partner_shows_every_setting_with_its_default():
    shown = with_every_line("partner.toml")
    assert set(shown) == set(Partner.model_fields) - {"name", "folder", "files", "password"} | {"password_file"}
    tables = {"tls": Tls, "auth": Auth, "hook": Hook, "fields": FieldLimit, "operations": MappedOperation}
    for name, part in tables.items():
        table = shown[name][0] if name == "fields" else shown[name]
        table = table["SubmitRequisition"] if name == "operations" else table
        from_files = {"key_password": "key_password_file", "secrets": "secret_files", "secret": "secret_file"}
        assert set(table) == {from_files.get(key, key) for key in part.model_fields}
    assert set(shown["auth"]["login"]) == set(Login.model_fields)
    assert set(shown["operations"]["SubmitRequisition"]["success"]) == set(Success.model_fields)
    examples = ("url", "client", "username", "password_file", "maintenance", "wsdl", "service", "port", "parameters")
    examples += (*tables, "success")
    access, (poll,) = shown.pop("database"), shown.pop("polls")
    assert set(access) == set(DatabaseAccess.model_fields)
    assert set(poll) == set(Poll.model_fields)
    for table, part in ((poll["mark"], Mark), (poll["details"][0], Detail)):
        assert set(table) == set(part.model_fields)
    shown_defaults = ("again_rows", "again_minutes", "every_seconds", "batch", "rate_per_second", "tries", "trim")
    assert {key: poll[key] for key in shown_defaults} == {key: Poll.model_fields[key].default for key in shown_defaults}
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


# --- the certificates of partners -------------------------------------------------------------------------------------


@pytest.fixture
def folder(site: Path) -> Path:
    """That of HIS, which has a certificate of the hospital's authority."""
    folder = site / "partners" / "HIS"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "phrase").write_text("s3cret\n")
    return folder


def his(folder: Path, **more: str) -> None:
    lines = {"ca_file": "hospital-ca.pem", "certificate_file": "gateway.pem", "key_file": "gateway.key"} | more
    tls = "".join(f"{key} = {value if value in ('false', 'true') else repr(value)}\n" for key, value in lines.items())
    (folder / "partner.toml").write_text(f'url = "https://his/soap"\n[tls]\nkey_password_file = "phrase"\n{tls}')


def said_of_his(gateway: Command) -> list[str]:
    return [line for line in gateway("check").out.splitlines() if line.startswith(("! ", "✗")) or "partner HIS" in line]


def test_check_tries_the_certificates_and_keys_of_partners(gateway: Command, folder: Path):
    issued = Authority(folder).issue("gateway", password="s3cret")
    his(folder)
    until = [one.not_valid_after_utc for one in (issued.made, Authority(folder).certificate)]
    assert said_of_his(gateway) == [
        f"✓ partner HIS: gateway.pem until {until[0]:%Y-%m-%d}, hospital-ca.pem until {until[1]:%Y-%m-%d}"
    ]


def test_check_warns_of_what_ends_soon_and_of_what_is_weaker(gateway: Command, folder: Path):
    Authority(folder).issue("gateway", 20, password="s3cret")
    his(folder, check_name="false", oldest="1.1")
    warned = [line for line in said_of_his(gateway) if line.startswith("! ")]
    assert len(warned) == 3
    assert "check_name is off" in warned[0]
    assert "oldest is 1.1" in warned[1]
    assert warned[2].startswith("! partner HIS: gateway.pem (our certificate gateway) ends on ")
    assert warned[2].endswith(", within 30 days")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda folder: (folder / "gateway.key").unlink(),
            "gateway.key: it cannot be read: No such file or",
        ),
        (lambda folder: (folder / "gateway.pem").write_text("x"), "gateway.pem: it holds no certificate in PEM."),
        (lambda folder: (folder / "phrase").write_text("other"), "cannot be opened with the password of key_password"),
        (lambda folder: Authority(folder).issue("gateway", -3, password="s3cret"), "renew it."),
        (lambda folder: Authority(folder, days=-3), "hospital-ca.pem (authority Hospital CA) has ended on "),
    ],
    ids=["no key", "no certificate", "wrong password", "ended", "authority ended"],
)
def test_check_names_what_of_a_partners_files_is_wrong(gateway: Command, folder: Path, spoil: Any, told: str):
    Authority(folder).issue("gateway", password="s3cret")
    his(folder)
    spoil(folder)
    said = crossed(gateway)
    assert told in said
    assert "s3cret" not in said


def test_check_knows_which_fields_can_be_limited(gateway: Command, folder: Path):
    limit = '[[fields]]\npath = "{}"\nlength = 10\n'
    (folder / "partner.toml").write_text('url = "https://his/soap"\n' + limit.format("Findings"))
    assert said_of_his(gateway) == ["✓ partner HIS: limits of fields: 1"]
    (folder / "partner.toml").write_text('url = "https://his/soap"\n' + limit.format("Finding"))
    assert "partner.toml: fields: Finding is no field of text" in crossed(gateway)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('maintenance = ["2-3"]', 'maintenance: "2-3" is no maintenance'),
        ('maintenance = ["00:00-12:00", "12:00-24:00"]', "the maintenance never ends"),
        ('[auth]\nkind = "x509"', "needs certificate_file"),
        (
            '[auth]\nhttp_headers = {X = "{key}"}\nsecret_files = {key = "phrase", other = "none"}',
            "other_file cannot be",
        ),
        ('[auth]\nhttp_headers = {X = "{kee}"}\nsecret_files = {key = "phrase"}', "http_headers.X has {kee}"),
    ],
)
def test_check_refuses_what_a_partner_toml_cannot_mean(gateway: Command, folder: Path, line: str, told: str):
    (folder / "partner.toml").write_text(f'url = "https://his/soap"\n{line}\n')
    assert told in crossed(gateway)


def test_secrets_of_a_partner_come_from_files(folder: Path):
    lines = '[auth]\nhttp_headers = {Authorization = "Bearer {key}"}\nsecret_files = {key = "phrase"}\n'
    (folder / "partner.toml").write_text(f'url = "https://his/soap"\n{lines}')
    (partner,) = load_settings(folder.parents[1]).partners
    assert partner.auth.secrets["key"].get_secret_value() == "s3cret"
    assert "s3cret" not in repr(partner)
