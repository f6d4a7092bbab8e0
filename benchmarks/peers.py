"""What a hospital would deliver with: `python -m benchmarks.peers jobs|zeep ...`, until it is ended.

jobs   bare Procrastinate on tables of its own: order by lock, each job posts its bytes with requests and reads the HTTP
       status. No state, no attempts, no rules about answers, no limits per partner.
zeep   no queue at all: threads that call a partner with zeep in a loop and read the answer.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import requests
import zeep
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.schema import SchemaManager

from gateway.contract import NAMESPACE, Contract
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Forward

HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Connection": "close"}
_ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
_WIRE = Wire(Contract(), timezone(timedelta(hours=8)))


def fill(url: str, forwards: Sequence[Forward]) -> None:
    """Procrastinate's tables as they come, with a job for each message, and statistics."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SchemaManager.get_schema().encode())
    app = App(connector=SyncPsycopgConnector(conninfo=url))
    with app.open():
        for number, forward in enumerate(forwards):
            header = replace(forward.request.header, message_id=f"J-{number}")
            wrapper = _WIRE.document(forward.operation, replace(forward.request, header=header))
            job = app.configure_task("post", queue=forward.partner, lock=f"{forward.partner} {forward.key}")
            job.defer(partner=forward.partner, operation=forward.operation, body=_ENVELOPE.format(wrapper))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def jobs(url: str, concurrency: str, *addresses: str) -> None:
    """Run them; `addresses` are NAME=ADDRESS."""
    known = dict(address.split("=", 1) for address in addresses)
    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="post", retry=True)
    def post(partner: str, operation: str, body: str) -> None:
        headers = HEADERS | {"SOAPAction": f'"{NAMESPACE}/{operation}"'}
        requests.post(known[partner], data=body.encode(), headers=headers, timeout=20).raise_for_status()

    async def run() -> None:
        async with app.open_async():
            await app.run_worker_async(
                queues=list(known), concurrency=int(concurrency), delete_jobs="successful", fetch_job_polling_interval=1
            )

    asyncio.run(run())


def loop(concurrency: str, *addresses: str) -> None:
    """As many threads as slots, in turn over the partners, with zeep's own connections, which stay open."""
    contract = Contract()
    client = zeep.Client(str(contract.folder / "wsdl" / "gateway.wsdl"))
    binding = next(iter(client.wsdl.bindings))
    services = [client.create_service(binding, address.split("=", 1)[1]) for address in addresses]
    request: dict[str, Any] = {
        "Header": {"MessageId": "", "SenderCode": "GATEWAY", "HospitalCode": "44643245-7", "SentAt": datetime.now(UTC)},
        "RequisitionNo": "R1",
        "Event": "REGISTER",
        "StatusSeq": 1,
        "OccurredAt": datetime.now(UTC),
    }

    def call(thread: int) -> None:
        number = 0
        while True:
            number += 1
            header = request["Header"] | {"MessageId": f"Z-{thread}-{number}"}
            services[number % len(services)].ReportStatus(Request=request | {"Header": header})

    threads = [threading.Thread(target=call, args=(thread,), daemon=True) for thread in range(int(concurrency))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    {"jobs": jobs, "zeep": loop}[sys.argv[1]](*sys.argv[2:])
