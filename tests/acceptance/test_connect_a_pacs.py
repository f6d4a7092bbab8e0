"""docs/connect-a-pacs.md word by word: its commands in a real shell, its files, and what it says will come."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.simulators.process import free_port

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "connect-a-pacs.md"
BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DONE = "::done::"


class Shell:
    """One bash in which all commands are run, with job control as at a terminal."""

    def __init__(self, folder: Path, path: str) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "COLUMNS": "200"},
            start_new_session=True,
        )
        self.run("set -m")

    def run(self, command: str, answers: str = "") -> str:
        """What came, up to the command's end; of one in the background, until that address answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wait = f"until curl -sf -o {os.devnull} {answers}; do sleep 0.2; done;" if answers else ""
        self._process.stdin.write(f"{command}\n{wait} echo; echo {DONE} $?\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.startswith(DONE):
                break
            lines.append(line)
        return "".join(lines)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("kill $(jobs -p); wait\n")
        self._process.communicate(timeout=30)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "gateway"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    site = tmp_path / "site"
    site.mkdir()
    shell = Shell(site, f"{programs}:{os.environ['PATH']}")
    yield shell
    shell.close()


def steps(text: str) -> Iterator[tuple[str, str, str]]:
    """Each block: its kind, the file it is about, and what stands in it."""
    yield from BLOCK.findall(text)


def commands(content: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that must come."""
    for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
        first, *wanted = part.rstrip("\n").split("\n")
        yield first, wanted


def squeezed(text: str) -> str:
    """Columns are as wide as what stands in them, so the blanks between do not count."""
    return " ".join(text.split())


@pytest.mark.timeout(600)
def test_what_the_page_says_is_what_happens(shell: Shell, tmp_path: Path):
    site, vendor, port = tmp_path / "site", free_port(), free_port()
    text = PAGE.read_text(encoding="utf-8").replace("9107", str(vendor))
    answering = {"serve": f"http://127.0.0.1:{port}/readyz", "simulate": f"http://127.0.0.1:{vendor}/state"}
    ran = []
    for kind, about, content in steps(text):
        if kind == "console":
            for command, wanted in commands(content):
                came = shell.run(command, answering.get(command.split()[1], "") if command.endswith("&") else "")
                ran.append(command)
                if command.startswith("gateway init"):
                    settings = site / "gateway.toml"
                    settings.write_text(settings.read_text().replace("#port = 8080", f"port = {port}"))
                for line in wanted:
                    assert squeezed(line) in squeezed(came), f"{command}\n{came}"
        elif about.endswith(" +"):
            with (site / about.removesuffix(" +")).open("a", encoding="utf-8") as file:
                file.write(content)
        else:
            (site / about).write_text(content, encoding="utf-8")
    assert len(ran) > 12
