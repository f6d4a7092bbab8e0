"""A site's settings: where each may come from, and that a mistake is said in one line that names it."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.config import (
    ChargePointRule,
    ConfigurationError,
    Limits,
    Reconciliation,
    RecordRules,
    Route,
    Rules,
    Server,
    Settings,
    Storage,
    load_settings,
)
from gateway.contract import Contract
from gateway.critical_rules import CriticalLevel, CriticalRules, CriticalTimesRule, SmtpNotifier, WebhookNotifier
from gateway.hl7_config import Hl7Message, Hl7Port
from gateway.partner_config import FieldLimit, Hook, MappedOperation, Partner, Success
from gateway.partner_security import Auth, Login, Tls


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)


def site(folder: Path, text: str = "", partners: dict[str, str] | None = None) -> Path:
    (folder / "gateway.toml").write_text(f'hospital_code = "H1"\n{text}', encoding="utf-8")
    for name, partner in (partners or {}).items():
        (folder / "partners" / name).mkdir(parents=True)
        (folder / "partners" / name / "partner.toml").write_text(partner, encoding="utf-8")
    return folder


def mistake(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as told:
        load_settings(folder)
    assert "\n" not in str(told.value)
    assert told.value.__cause__ is None
    return str(told.value)


def test_a_site_needs_to_say_only_its_hospital_code(tmp_path: Path):
    settings = load_settings(site(tmp_path))
    assert settings.hospital_codes == {"H1"}
    assert settings.endpoint == "http://127.0.0.1:8080/soap"
    assert settings.zone.utcoffset(None) == timedelta(hours=8)
    assert settings.database_url is None


def test_partners_are_read_from_their_folders(tmp_path: Path):
    partners = {"PACS": 'url = "http://pacs/soap"', "HIS": 'url = "https://his/soap"\nclient = "HIS2"'}
    settings = load_settings(site(tmp_path, partners=partners))
    assert [(p.name, p.client_name) for p in settings.partners] == [("HIS", "HIS2"), ("PACS", "PACS")]
    assert settings.partner("PACS").total_seconds == 20


def test_an_unknown_partner_is_answered_with_the_known_ones(tmp_path: Path):
    settings = load_settings(site(tmp_path, partners={"PACS": 'url = "http://pacs/soap"'}))
    with pytest.raises(ConfigurationError, match="There is no partner LIS; known are: PACS"):
        settings.partner("LIS")


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site(tmp_path, "[server]\nport = 1\nworkers = 3")
    monkeypatch.setenv("GATEWAY_SERVER__PORT", "2")
    monkeypatch.setenv("GATEWAY_OTHER_HOSPITAL_CODES", '["H2"]')
    settings = load_settings(tmp_path)
    assert (settings.server.port, settings.server.workers) == (2, 3)
    assert settings.hospital_codes == {"H1", "H2"}


def test_the_folder_asked_for_is_the_folder_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_FOLDER", "/somewhere/else")
    assert load_settings(site(tmp_path)).key_file == tmp_path / "secret.key"


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "url").write_text("postgresql://u:hidden@db/gateway\n")
    monkeypatch.setenv("GATEWAY_DATABASE_URL_FILE", str(tmp_path / "url"))
    settings = load_settings(site(tmp_path))
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://u:hidden@db/gateway"
    assert "hidden" not in repr(settings)


def test_a_partners_password_may_stand_in_a_file(tmp_path: Path):
    site(tmp_path, partners={"HIS": 'url = "http://his/"\nusername = "g"\npassword_file = "password"'})
    (tmp_path / "partners" / "HIS" / "password").write_text("hidden\n")
    partner = load_settings(tmp_path).partner("HIS")
    assert partner.password is not None
    assert partner.password.get_secret_value() == "hidden"
    assert "hidden" not in repr(partner)


def test_an_empty_database_url_means_the_embedded_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "")
    assert load_settings(site(tmp_path)).database_url is None


def test_a_public_url_may_end_as_people_write_it(tmp_path: Path):
    for given in ("https://g.example.org", "https://g.example.org/", "https://g.example.org/soap"):
        assert load_settings(site(tmp_path, f'public_url = "{given}"')).endpoint == "https://g.example.org/soap"


def test_hospital_time_may_lie_west_of_greenwich(tmp_path: Path):
    settings = load_settings(site(tmp_path, 'utc_offset = "-03:30"'))
    assert settings.zone.utcoffset(None) == -timedelta(hours=3, minutes=30)


def test_settings_cannot_be_changed_while_the_gateway_runs(tmp_path: Path):
    settings = load_settings(site(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        settings.hospital_code = "H2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 1", "gateway.toml: prot: there is no such key"),
        ("[server]\nprot = 1", "server.prot: there is no such key"),
        ("[server]\nport = 70000", "server.port: Input should be less than or equal to 65535"),
        ('utc_offset = "+99:00"', "utc_offset: String should match"),
        ('utc_offset = "Asia/Shanghai"', "utc_offset: String should match"),
        ('database_url = "mysql://u:hidden@h/x"', "database_url: must be postgresql://"),
        ('database_url = "oracle://u:hidden@h/x"\nx = 1', "(1 more)"),
        ("hospital_code = 1", "Cannot overwrite a value"),
        ("[[rules.charge_points]]\ncharge_point = 'SOMETIMES'", "rules.charge_points[1].charge_point: Input should be"),
        ('partners = ["HIS"]', "partners is no key of this file"),
        ('folder = "/x"', "folder is no key of this file"),
        ('[[routes]]\noperation = "ReportStatus"\npartners = ["NOBODY"]', "routes[1] names the partner NOBODY"),
        ("[[routes]]\noperation = 'ReportStatus'\npartners = []", "routes[1].partners: "),
        ("= broken", "gateway.toml cannot be read: "),
    ],
)
def test_a_mistake_in_the_file_is_named_without_its_value(tmp_path: Path, text: str, named: str):
    told = mistake(site(tmp_path, text))
    assert named in told
    assert "hidden" not in told


def test_a_missing_file_says_how_to_make_one(tmp_path: Path):
    assert f"make one with `gateway init --folder {tmp_path}`" in mistake(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path):
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe")
    assert "gateway.toml is no text in UTF-8 (line 1)" in mistake(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("GATEWAY_SERVER__PORT", "abc", "The environment variable GATEWAY_SERVER__PORT: Input should be"),
        ("GATEWAY_DATABASE_URL", "mysql://u:hidden@h/x", "GATEWAY_DATABASE_URL: must be postgresql://"),
        ("GATEWAY_DATABASE_URL_FILE", "/nowhere", "GATEWAY_DATABASE_URL_FILE names /nowhere, which cannot be read"),
        ("GATEWAY_SERVER", "{hidden", "GATEWAY_SERVER, or one whose name begins so, must be written as JSON"),
        ("GATEWAY_ROUTES", "hidden", "GATEWAY_ROUTES, or one whose name begins so, must be written as JSON"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
):
    monkeypatch.setenv(variable, value)
    told = mistake(site(tmp_path))
    assert named in told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("partner", "named"),
    [
        ("", "partner.toml: url: it is missing."),
        ('urll = "http://his/"', "partner.toml: urll: there is no such key: it may be misspelt"),
        ('url = "ftp://his/"', "url: URL scheme should be 'http' or 'https'"),
        ('url = "his"', "url: Input should be a valid URL"),
        ('url = "http://his/"\nname = "X"', "name, folder and files are no keys, leave them out"),
        ('url = "http://his/"\nsoap_version = "2.0"', "soap_version: Input should be '1.1' or '1.2'"),
        ('url = "http://his/"\ndialect = "smoke"', "dialect: Input should be 'canonical'"),
        ('url = "http://his/"\nconcurrency = 0', "concurrency: Input should be greater"),
        ('url = "http://his/"\npassword_file = "none"', "password_file cannot be read"),
    ],
)
def test_a_mistake_about_a_partner_names_its_file(tmp_path: Path, partner: str, named: str):
    told = mistake(site(tmp_path, partners={"HIS": partner}))
    assert f"{tmp_path}/partners/HIS/partner.toml" in told
    assert named in told


def test_a_file_saved_by_an_editor_of_windows_is_read_or_said_how_to_save(tmp_path: Path):
    main = site(tmp_path) / "gateway.toml"
    main.write_bytes(b"\xef\xbb\xbf" + main.read_bytes())
    assert load_settings(tmp_path).hospital_code == "H1"
    main.write_bytes(b'hospital_code = "H1"\n# \xbc\xec\xd1\xe9\n')
    assert mistake(tmp_path) == f"{main} is no text in UTF-8 (line 2): save it as UTF-8, not ANSI."


RULES = [Rules, RecordRules, ChargePointRule, CriticalRules, CriticalTimesRule, CriticalLevel]
PARTNERS = [Partner, MappedOperation, Success, FieldLimit, Hook, Tls, Auth, Login]
PORTS = [Hl7Port, Hl7Message]
PARTS = [
    Settings,
    Server,
    Limits,
    *RULES,
    Reconciliation,
    Storage,
    Route,
    *PARTNERS,
    *PORTS,
    WebhookNotifier,
    SmtpNotifier,
]


@pytest.mark.parametrize("part", PARTS)
def test_every_setting_is_explained(part: type[BaseModel]):
    explained = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    beside = {"facades", "hl7", "server", "limits", "rules", "records", "reconciliation", "storage", "routes"}
    assert [
        name
        for name in part.model_fields
        if name not in {"folder", "files", "partners", "name", "insurance", *beside} and f"`{name}`" not in explained
    ] == []


def test_the_examples_for_a_hospital_are_settings_that_work(tmp_path: Path):
    deploy = Path(__file__).parent.parent / "deploy"
    shutil.copy(deploy / "gateway.toml", tmp_path)
    for name in ("HIS", "PACS", "LIS", "EMR"):
        (tmp_path / "partners" / name).mkdir(parents=True)
        shutil.copy(deploy / "partner.toml", tmp_path / "partners" / name)
        (tmp_path / "partners" / name / "password").write_text("secret")
    settings = load_settings(tmp_path)
    assert {name for route in settings.routes for name in route.partners} == {"HIS", "PACS", "LIS", "EMR"}
    assert {route.operation for route in settings.routes} <= {operation.name for operation in Contract().operations}


INSURED = (
    'url = "http://yb/api"\ndialect = "insurance"\n[insurance]\nfixmedins_code = "H1"\nmdtrtarea_admvs = "440100"\n'
)


def test_an_insurance_platform_has_its_own_table(tmp_path: Path):
    (tmp_path / "partners" / "YB").mkdir(parents=True)
    (tmp_path / "partners" / "YB" / "secret").write_text("geheim\n")
    partners = {"BANK": INSURED + 'signature = "hmac-sha256"\nsecret_file = "../YB/secret"\n'}
    found = load_settings(site(tmp_path, partners=partners)).partner("BANK").insurance
    assert found is not None
    assert found.secret is not None
    assert (found.fixmedins_code, found.secret.get_secret_value()) == ("H1", "geheim")


@pytest.mark.parametrize(
    ("partner", "told"),
    [
        ('url = "http://yb/api"\ndialect = "insurance"', "needs it"),
        ('url = "http://yb/api"\n[insurance]\nfixmedins_code = "H1"\nmdtrtarea_admvs = "440100"', "belongs to"),
        (INSURED + 'signature = "hmac-sha256"', "secret_file"),
        (INSURED + 'secret_file = "nowhere"', "secret_file cannot be read"),
        (INSURED.replace("440100", "44"), "mdtrtarea_admvs"),
    ],
)
def test_a_mistake_about_an_insurance_platform_is_named(tmp_path: Path, partner: str, told: str):
    assert told in mistake(site(tmp_path, partners={"YB": partner}))


@pytest.mark.parametrize(("operation", "name"), [("ChargeItem", "YB"), ("Insurance", "HIS")])
def test_insurance_platforms_and_other_partners_are_not_mixed_up_in_routes(tmp_path: Path, operation: str, name: str):
    partners = {"YB": INSURED, "HIS": 'url = "http://his/soap"'}
    text = f'[[routes]]\noperation = "{operation}"\npartners = ["{name}"]\n'
    assert "partners of dialect insurance" in mistake(site(tmp_path, text, partners))


# --- critical values and their channels -------------------------------------------------------------------------------

DUTY = 'kind = "webhook"\nname = "duty"\nurl = "http://duty.example/"\n'
LEVEL = '[[rules.critical.chain]]\nstage = "RECEIVE"\nlevel = 1\n'


def test_a_channel_reads_its_secret_from_a_file_beside_the_settings(tmp_path: Path):
    (tmp_path / "duty.secret").write_text("a-secret\n")
    folder = site(tmp_path, f'[[notifiers]]\n{DUTY}secret_file = "duty.secret"\n')
    (channel,) = load_settings(folder).notifiers
    assert channel.secret is not None
    assert channel.secret.get_secret_value() == "a-secret"


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (f'{LEVEL}notifiers = ["duty"]\n', "rules.critical.chain[1] names the notifier duty"),
        (f"[[notifiers]]\n{DUTY}[[notifiers]]\n{DUTY}", "two notifiers have the same name"),
        (f'[[notifiers]]\n{DUTY}secret_file = "none"\n', "secret_file cannot be read"),
        ('[[notifiers]]\nkind = "pigeon"\nname = "x"\n', "notifiers[1]"),
        (f'{LEVEL}receivers = ["A,B"]\n', "rules.critical.chain[1].receivers[1]"),
        ("[rules.critical]\nreceive_minutes = 0\n", "rules.critical.receive_minutes"),
        ('[[rules.critical.chain]]\nstage = "LUNCH"\nlevel = 1\n', "rules.critical.chain[1].stage"),
    ],
)
def test_a_mistake_about_the_chain_or_a_channel_is_named(tmp_path: Path, lines: str, named: str):
    assert named in mistake(site(tmp_path, lines))


PORT = '[[hl7]]\nname = "LAB"\nclient = "LIS"\nport = 6661\naddresses = ["10.0.0.0/8"]\n'


def test_a_port_of_hl7_takes_the_standard_messages(tmp_path: Path):
    (port,) = load_settings(site(tmp_path, PORT)).hl7
    assert {kind for one in port.messages for kind in one.types} >= {"ORM^O01", "ORU^R01", "DFT^P03"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PORT.replace('addresses = ["10.0.0.0/8"]', ""), "say who may connect"),
        (PORT + 'ca_file = "ca.crt"', "certificate_file"),
        (PORT + PORT.replace("6661", "6662"), "same name"),
        (PORT + PORT.replace("LAB", "LAB2"), "same port"),
        (PORT + 'hospital_code = "ELSE"', "none of the hospitals"),
        (PORT.replace("10.0.0.0/8", "10.0.0.1/8"), "hl7[1].addresses"),
        (PORT + '[[hl7.messages]]\ntypes = ["ORM"]\nrequest = "x.xsl"', "types"),
    ],
)
def test_a_mistake_about_a_port_of_hl7_is_named(tmp_path: Path, text: str, told: str):
    assert told in mistake(site(tmp_path, text))
