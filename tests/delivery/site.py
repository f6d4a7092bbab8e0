"""A hospital with partners that can be told to misbehave, and the delivery side of a gateway on a real database."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from gateway.codes.translating import DatabaseCodes
from gateway.config import Route, Settings
from gateway.delivery.dispatch import QueueDispatch
from gateway.delivery.holds import Holds
from gateway.delivery.hours import MaintenancePlan
from gateway.delivery.jobs import Jobs
from gateway.delivery.owner import Timing
from gateway.delivery.sending import Sender
from gateway.delivery.worker import DeliveryWorker
from gateway.model.delivery import Delivery, DeliveryAttempt
from gateway.operations.dispatch import Dispatch, Forward, Origin, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.registry import Partners
from gateway.store import make_sessions
from tests.partners.fake_partner import CONTRACT, WIRE, sample

HOSPITAL = "44643245-7"
FAST = Timing(
    poll=0.1,
    heartbeat=0.3,
    stalled=1.5,
    recovery=0.3,
    adoption=0.5,
    lease=0.1,
    failures=4,
    pause=0.5,
    unexpected=0.5,
)
FINISHED = ("DELIVERED", "REFUSED", "DISCARDED")


def message(operation: str, key: str, number: int = 1) -> Any:
    """A message about `key`; `number` tells several apart."""
    changes = {
        "SubmitRequisition": {"requisition_no": key, "clinical_summary": str(number)},
        "ReportStatus": {"requisition_no": key, "status_seq": number},
        "ChargeItem": {"charge_no": f"C-{key}-{number}"},
        "RefundItem": {"refund_no": f"R-{key}-{number}"},
        "PushCriticalValue": {"critical_id": key, "content": str(number)},
    }
    return dataclasses.replace(sample(operation), **changes.get(operation, {}))


def number_of(request: Any) -> int:
    """Which of several messages it is."""
    return int(getattr(request, "status_seq", None) or getattr(request, "clinical_summary", None) or request.content)


class Site:
    """The delivery side of one gateway process."""

    def __init__(
        self,
        engine: Engine,
        url: str,
        *partners: Partner,
        routes: tuple[Route, ...] = (),
        sync_seconds: float = 8,
    ) -> None:
        self.url = url
        self.ahead = timedelta()
        """How far its clock is put forward, so that no test waits for an hour."""
        self.sessions = make_sessions(engine)
        self.settings = Settings(folder=Path("."), hospital_code=HOSPITAL, partners=partners, routes=routes)
        self.hooked: list[tuple[Forward, PartnerAnswer]] = []
        self.hooks = {"ChargeItem": self._hook, "RefundItem": self._hook, "PushCriticalValue": self._hook}
        holds = Holds(self.now, MaintenancePlan(partners, self.settings.zone))
        self.code_tables = DatabaseCodes(self.sessions, self.now)
        self.partners = Partners(
            partners, CONTRACT, WIRE, self.now, codes=self.code_tables, is_stopped=holds.is_stopped
        )
        self.jobs = Jobs()
        self.sender = Sender(
            self.sessions, WIRE, self.partners, self.hooks, self.jobs, self.now, sync_seconds=sync_seconds, holds=holds
        )
        self.dispatch = QueueDispatch(self.settings, self.sender)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def _hook(self, session: Any, forward: Forward, answer: PartnerAnswer, dispatch: Dispatch) -> None:
        self.hooked.append((forward, answer))

    # --- giving it work -----------------------------------------------------------------------------------------------

    def forward(
        self,
        operation: str = "ReportStatus",
        key: str = "R1",
        number: int = 1,
        *,
        to: str = "HIS",
        urgent: bool = False,
    ) -> Forward:
        origin = Origin(f"T-{key}-{number}", HOSPITAL, "01", "PACS", f"PACS-{key}-{number}")
        return Forward(to, operation, message(operation, key, number), key, origin, urgent)

    def put(self, *forwards: Forward) -> list[int]:
        """Queue messages in one transaction; their ids."""
        with self.sessions.begin() as session:
            newest = session.execute(text("SELECT coalesce(max(id), 0) FROM delivery")).scalar_one()
            self.dispatch.enqueue(session, forwards)
            session.flush()
            found = session.execute(text("SELECT id FROM delivery WHERE id > :id ORDER BY id"), {"id": newest})
            return list(found.scalars())

    def dispatch_one(self, key: str, number: int) -> None:
        with self.sessions.begin() as session:
            self.dispatch.enqueue(session, [self.forward(key=key, number=number)])

    def ask(self, forward: Forward, seconds: float = 5, *, keep: bool = True) -> PartnerAnswer:
        with self.sessions() as session:
            return self.dispatch.ask(session, forward, seconds, keep=keep)

    # --- looking at it ------------------------------------------------------------------------------------------------

    def row(self, delivery_id: int) -> Delivery:
        with self.sessions() as session:
            return session.get_one(Delivery, delivery_id)

    def newest(self) -> Delivery:
        with self.sessions() as session:
            return session.query(Delivery).order_by(Delivery.id.desc()).first()

    def state(self, delivery_id: int) -> str:
        return self.row(delivery_id).state

    def codes(self, delivery_id: int) -> list[str]:
        """What came of every attempt."""
        with self.sessions() as session:
            query = session.query(DeliveryAttempt).filter_by(delivery_id=delivery_id).order_by(DeliveryAttempt.id)
            return [attempt.code for attempt in query]

    def job(self, delivery_id: int) -> Any:
        """Its job's row, None when there is none."""
        with self.sessions() as session:
            query = text("SELECT * FROM procrastinate_jobs WHERE id = :id")
            return session.execute(query, {"id": self.row(delivery_id).job_id}).one_or_none()

    def count_jobs(self, status: str) -> int:
        with self.sessions() as session:
            query = text(
                "SELECT count(*) FROM procrastinate_jobs WHERE status = CAST(:status AS procrastinate_job_status)"
            )
            return int(session.execute(query, {"status": status}).scalar_one())

    def change(self, delivery_id: int, **values: Any) -> None:
        with self.sessions.begin() as session:
            row = session.get_one(Delivery, delivery_id)
            for name, value in values.items():
                setattr(row, name, value)

    def run_sql(self, statement: str, **values: Any) -> None:
        with self.sessions.begin() as session:
            session.execute(text(statement), values)

    def unfinished(self) -> int:
        with self.sessions() as session:
            return session.query(Delivery).filter(Delivery.state.not_in(FINISHED)).count()

    def wait_until_all_is_finished(self, seconds: float = 60) -> None:
        self.wait(lambda: self.unfinished() == 0, seconds)

    def wait_for(self, delivery_id: int, state: str, seconds: float = 60) -> None:
        self.wait(lambda: self.state(delivery_id) == state, seconds)

    @staticmethod
    def wait(condition: Any, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.02)

    # --- a delivery process in a thread -------------------------------------------------------------------------------

    def working(self, timing: Timing = FAST) -> AbstractContextManager[DeliveryWorker]:
        return delivering(self.settings.partners, self.url, self.sender, timing)


@contextmanager
def delivering(
    partners: Sequence[Partner], url: str, sender: Sender, timing: Timing = FAST
) -> Iterator[DeliveryWorker]:
    """A delivery process in a thread of this one."""
    started, failures = threading.Event(), []
    box: dict[str, Any] = {}

    async def main() -> None:
        box["worker"] = DeliveryWorker(partners, url, sender, timing)
        box["loop"] = asyncio.get_running_loop()
        started.set()
        await box["worker"].run()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as problem:
            failures.append(problem)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        yield box["worker"]
    finally:
        with suppress(RuntimeError):  # it has ended already
            box["loop"].call_soon_threadsafe(box["worker"].stop)
        thread.join(120)
        assert not thread.is_alive()
        assert failures == []
