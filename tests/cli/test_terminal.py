"""Whatever is typed wrong, the answer is one line that says what to do."""

import io
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from at_the_terminal import Command

from gateway.__main__ import main
from gateway.cli import clients, partners
from gateway.cli.terminal import forgive_characters, one_line, plain_table, say, show


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sing"], "No such command 'sing'. See `gateway --help`."),
        (["client"], "See `gateway client --help`."),
        (["client", "add"], "Missing argument 'NAME'. See `gateway client add --help`."),
        (["client", "add", "HIS", "--rights", "x"], "See `gateway client add --help`."),
        (["delivery", "discard", "1"], "Missing option '--reason'. See `gateway delivery discard --help`."),
        (["delivery", "list", "--limit", "many"], "See `gateway delivery list --help`."),
        (["serve", "--port", "70000"], "See `gateway serve --help`."),
    ],
)
def test_a_command_that_makes_no_sense_names_its_help(gateway: Command, words: list[str], told: str):
    said = gateway(*words)
    assert said.code == 2
    assert told in said.mistake


@pytest.mark.parametrize("words", [["--help"], ["client", "--help"], ["call", "--help"]])
def test_help_is_no_mistake(gateway: Command, words: list[str]):
    said = gateway(*words)
    assert (said.code, said.err) == (0, "")
    assert "Usage: gateway" in said.out


def test_a_terminal_in_gbk_shows_what_it_can(monkeypatch: pytest.MonkeyPatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="gbk"))
    forgive_characters()
    say("✓ 王𠮷")
    say("✗ 检查")
    assert written.getvalue().decode("gbk") == "ok 王\\U00020bb7\nNO 检查\n"


@pytest.mark.parametrize(
    ("columns", "lines"), [(50, ["ID            GW-1", "PARTNER       reference-lab"]), (64, ["ID    PARTNER"])]
)
def test_no_table_breaks_words_however_narrow_the_terminal(
    columns: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", written := Terminal())
    for name, value in (("COLUMNS", str(columns)), ("TERM", "xterm"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    table = plain_table("ID", "PARTNER", "OPERATION", "LAST", "NEXT ATTEMPT")
    table.add_row("GW-1", "reference-lab", "SubmitRequisition", "UNMAPPED", "2026-11-28 20:49:36")
    table.add_row("GW-2", "pharmacy", "ReportStatus", "", "")
    show(table)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue())
    for wanted in (*lines, "SubmitRequisition", "reference-lab"):
        assert wanted in shown


def test_it_tells_its_version(gateway: Command):
    assert gateway("--version").out.startswith("hospital-gateway 0.")


def test_every_command_needs_a_site(gateway: Command, tmp_path: Path):
    commands = (
        ["serve"], ["web"], ["worker"], ["migrate"], ["db", "start"], ["db", "stop"], ["db", "url"],
        ["client", "list"], ["client", "add", "X"], ["client", "grant", "X", "--right", "HIS"],
        ["client", "revoke", "X", "--right", "HIS"], ["client", "disable", "X"], ["client", "enable", "X"],
        ["client", "password", "X"], ["partner", "list"], ["partner", "ping", "X"], ["delivery", "list"],
        ["delivery", "retry", "1"], ["delivery", "discard", "1", "--reason", "x"], ["call", "ReportStatus"],
    )  # fmt: skip
    for words in commands:
        said = gateway(*words, "--folder", tmp_path)
        assert said.code == 2, words
        assert f"make one with `gateway init --folder {tmp_path}`" in said.mistake


def test_a_database_that_is_away_is_one_line(gateway: Command, empty_site: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/x")
    for words in (["client", "list"], ["migrate"], ["delivery", "list"], ["client", "disable", "X"]):
        said = gateway(*words)
        assert said.code == 1
        assert said.mistake == "The database cannot be reached: nothing answers at that address."


def test_a_mistake_of_ours_shows_its_kind_and_place_but_no_value(gateway: Command, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise KeyError("张三")

    monkeypatch.setattr(partners, "load_settings", fail)
    told = gateway("partner", "list").mistake
    assert "KeyError at test_terminal.py" in told
    assert "张三" not in told


def test_ctrl_c_is_no_mistake_of_ours(gateway: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clients, "load_settings", interrupt)
    said = gateway("client", "list")
    assert said.code == 130
    assert "Traceback" not in said.err


def test_ctrl_c_while_the_command_is_loaded_ends_it_without_a_word(monkeypatch: pytest.MonkeyPatch):
    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "gateway.cli", Loading("gateway.cli"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_what_the_operating_system_refuses_is_one_line(gateway: Command, tmp_path: Path):
    (tmp_path / "file").write_text("")
    told = gateway("init", "--folder", tmp_path / "file" / "site").mistake
    assert told.startswith("The operating system refuses: ")


def test_no_text_can_steer_the_terminal():
    assert one_line("a\x1b[31m\nb\u202ec\u2028d\r") == "a [31m b c d"


def test_the_installed_command_and_the_module_are_the_same(tmp_path: Path):
    program = Path(sys.executable).with_name("gateway")
    for command in ([program], [sys.executable, "-m", "gateway"]):
        said = subprocess.run([*command, "check", "--folder", tmp_path], capture_output=True, text=True)
        assert said.returncode == 1
        assert "Traceback" not in said.stderr


def test_a_closed_pipe_is_no_mistake(tmp_path: Path):
    command = f"{sys.executable} -W error -m gateway --help | head -c 1"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert said.stderr == ""
