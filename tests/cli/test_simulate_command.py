"""`gateway simulate`: simulated systems for a person at the terminal."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from at_the_terminal import Command


def test_a_system_with_one_form_has_no_vendors_form(gateway: Command):
    assert gateway("simulate", "duty", "--vendor").mistake == "There is no vendor's form of duty: leave out --vendor."


def test_a_vendors_form_says_its_address_and_serves_its_wsdl_there(tmp_path: Path):
    words = ["simulate", "emr", "--vendor", "--port", "0", "--log", str(tmp_path / "log.jsonl")]
    command = [sys.executable, "-m", "gateway", *words]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            address = re.fullmatch(
                r"EMR simulator: (http://127\.0\.0\.1:\d+/csp/emr/EMR\.Interface\.Service\.cls)\n", said
            )
            assert address is not None, said
            with urllib.request.urlopen(f"{address[1]}?wsdl", timeout=30) as answer:
                assert b'<wsdl:operation name="CallInterface">' in answer.read()
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
