"""Who sat at the terminal is what the kernel knows, not what somebody says of himself."""

import os
import pwd
from pathlib import Path

import pytest

from gateway import site


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(site, "LOGIN", tmp_path / "loginuid")
    return tmp_path / "loginuid"


def test_the_account_that_logged_in_is_named_whatever_it_runs_as(login: Path, monkeypatch: pytest.MonkeyPatch):
    login.write_text("0")
    monkeypatch.setattr(os, "getuid", lambda: 65534)
    assert site.operator() == f"terminal:{pwd.getpwuid(0).pw_name}"


def test_without_a_login_it_is_the_account_of_the_process(login: Path):
    login.write_text(str(site.NO_LOGIN))
    assert site.operator() == f"terminal:{pwd.getpwuid(os.getuid()).pw_name}"


def test_nobody_becomes_another_by_a_variable(login: Path, monkeypatch: pytest.MonkeyPatch):
    before = site.operator()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "director")
    assert site.operator() == before


def test_an_account_without_a_name_is_its_number(login: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "getuid", lambda: 3999999999)
    assert site.operator() == "terminal:3999999999"
