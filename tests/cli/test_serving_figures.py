"""The figures of a running gateway, over HTTP: what web and delivery processes count comes together on one page."""

import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_terminal import Command
from test_serving import Site, until

from gateway import cli
from gateway.database.embedded import EmbeddedDatabase
from tests.partners.fake_partner import FakePartner

ROUTE = '\n[[routes]]\noperation = "SubmitRequisition"\npartners = ["PACS"]\n'


@pytest.fixture
def pacs() -> Iterator[FakePartner]:
    fake = FakePartner()
    yield fake
    fake.close()


@pytest.fixture
def served(pacs: FakePartner) -> Iterator[Site]:
    """A site whose requisitions go to PACS."""
    folder = Path(tempfile.mkdtemp(prefix="gw-figures-"))
    folder.chmod(0o755)
    assert cli.run(["init", "--folder", str(folder), "--hospital-code", "44643245-7"]) == 0
    with (folder / "gateway.toml").open("a", encoding="utf-8") as settings:
        settings.write(ROUTE)
    (folder / "partners" / "PACS" / "partner.toml").write_text(f'url = "{pacs.url}"\n')
    site = Site(folder)
    until(lambda: site.ask("/healthz")[0] == 200)
    yield site
    site.process.send_signal(signal.SIGTERM)
    site.process.communicate(timeout=60)
    EmbeddedDatabase(folder / "database").remove()
    shutil.rmtree(folder)


def test_one_page_has_what_all_processes_count_and_what_waits_in_the_database(served: Site, gateway: Command):
    password = gateway("client", "add", "HIS", "--all-operations", "--folder", served.folder).out
    words = ("call", "SubmitRequisition", "--to", served.known["soap"], "--user", "HIS", "--password-stdin")
    assert gateway(*words, stdin=password).code == 0

    def figure(line: str) -> float:
        found = re.search(rf"^{re.escape(line)} (\S+)$", served.ask("/metrics")[1].decode(), re.MULTILINE)
        return float(found[1]) if found else -1

    delivered = 'gateway_deliveries_total{operation="SubmitRequisition",outcome="yes",partner="PACS"}'
    until(lambda: figure(delivered) == 1)
    assert figure('gateway_delivery_seconds_count{partner="PACS"}') == 1
    until(lambda: figure('gateway_partner_served{partner="PACS"}') == 1)
    assert figure("gateway_database_up") == 1
    until(lambda: figure('gateway_delivery_backlog{kind="other",partner="PACS"}') == 0)  # looked at every five seconds
    served_page = served.ask("/metrics")
    assert served_page[0] == 200
    assert b"P0000123456" not in served_page[1]
