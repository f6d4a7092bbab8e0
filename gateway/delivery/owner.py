"""Serves one partner: fetches its jobs in order, keeps to its limits, leaves it alone while it is down.

Two lanes, each a Procrastinate worker with as many slots as partner.toml says. The critical lane is never stopped: its
messages come back every half minute at the latest, and by them the partner is probed. The normal lane stops while the
breaker is open, so a partner that is down costs no attempts. An operator's order stops both, or the normal one alone.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiolimiter import AsyncLimiter
from procrastinate import App, BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobResult
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.utils import utcnow
from procrastinate.worker import Worker
from sqlalchemy.orm import Session

from gateway.delivery.breaker import Breaker, is_alive
from gateway.delivery.holds import GOOD_SECONDS, alert_caught, close_over
from gateway.delivery.jobs import TASK, dead_queue_of, queue_of
from gateway.delivery.policy import Step, Verdict
from gateway.delivery.recovery import adopt, hurry, lift
from gateway.delivery.sending import DATABASE_AWAY, Sender
from gateway.delivery.waiting import hasten, tidy
from gateway.model.delivery import Lane
from gateway.operations.dispatch import UNMAPPED, Outcome, PartnerAnswer
from gateway.partner_config import Partner

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds between the things a worker does by the clock."""

    poll: float = 1
    """For jobs that have become due; new ones are told of at once."""
    heartbeat: float = 3
    stalled: float = 12
    """Without a heartbeat, until a worker counts as dead."""
    recovery: float = 5
    adoption: float = 60
    lease: float = 1
    failures: int = 5
    """In a row, until a partner is left alone."""
    pause: float = 10
    """Until it is tried with one message."""
    unexpected: float = 5
    """Until a job is run again that could not even be tried, for example because the database was away."""


class NotFinished(Exception):
    """The job is to be run again, or parked."""

    def __init__(self, decision: RetryDecision) -> None:
        super().__init__()
        self.decision = decision


class _AsDecided(BaseRetryStrategy):
    """The verdict's word; whatever else happens, no job is ever given up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        if isinstance(exception, NotFinished):
            return exception.decision
        if not isinstance(exception, asyncio.CancelledError):
            _log.error("Delivery job %s could not be run.", job.id, exc_info=exception)
        return RetryDecision(retry_at=utcnow() + timedelta(seconds=self._seconds))


def add_task(app: App, timing: Timing) -> None:
    """Teach a Procrastinate application to deliver."""

    @app.task(name=TASK, pass_context=True, retry=_AsDecided(timing.unexpected))
    async def deliver(context: JobContext, delivery_id: int, keep: bool = True) -> bool:
        owner: Owner = context.additional_context["owner"]
        return await owner.deliver(context.job, delivery_id, keep)


class _Lane(Worker):
    """A Procrastinate worker that looks for the next job as soon as one has ended: it may have waited for its lock."""

    def __init__(self, *arguments: Any, only_one: bool = False, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._only_one = only_one

    async def _process_job(self, context: JobContext) -> None:
        if self._only_one:
            self.stop()  # type: ignore[no-untyped-call]
        try:
            await super()._process_job(context)
        except ConnectorException:
            # What became of the job could not be stored: with this worker's end it counts as abandoned.
            self.stop()  # type: ignore[no-untyped-call]
        self._new_job_event.set()

    async def _persist_job_status(
        self,
        job: Job,
        status: Status,
        retry_decision: RetryDecision | None,
        context: JobContext,
        job_result: JobResult | None,
    ) -> None:
        """Nothing is left to store when the job went with its delivery."""
        if job_result is None or job_result.result is not True:
            await super()._persist_job_status(job, status, retry_decision, context, job_result)


class Owner:
    """Serves one partner until told to stop."""

    def __init__(self, partner: Partner, app: App, sender: Sender, threads: Executor, timing: Timing) -> None:
        self._partner = partner
        self._app = app
        self._sender = sender
        self._threads = threads
        self._timing = timing
        self._breaker = Breaker(timing.failures, timing.pause)
        rate = partner.rate_per_second
        self._limiter = AsyncLimiter(max(rate, 1), max(1, 1 / rate))
        self._lanes: dict[str, _Lane] = {}
        self._stopping = asyncio.Event()
        self._unreached = True
        """True after a message could not be sent, until the partner answers again. At first nobody knows: the process
        that served it before may have left messages waiting for hours."""
        self._hurrying: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def leaves_it_alone(self) -> bool:
        """Whether the partner does not answer and is only tried with one message now and then."""
        return not self._breaker.is_closed

    async def run(self) -> None:
        """Serve until `stop`, then finish what is being sent."""
        _log.info("Partner %s is served by this process.", self._partner.name)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._serve_critical())
            tasks.create_task(self._serve_normal())
            tasks.create_task(self._by_the_clock(self._timing.recovery, self._recover))
            tasks.create_task(self._by_the_clock(self._timing.recovery, self._alert_caught))
            tasks.create_task(self._by_the_clock(self._timing.adoption, self._adopt))
        _log.info("Partner %s is no longer served by this process.", self._partner.name)

    def stop(self) -> None:
        """Fetch nothing more."""
        self._stopping.set()
        self._breaker.changed.set()
        for lane in self._lanes.values():
            lane.stop()  # type: ignore[no-untyped-call]

    # --- one job ----------------------------------------------------------------------------------------------------

    async def deliver(self, job: Job, delivery_id: int, keep: bool) -> bool:
        """Run one job to its end; whether it has been removed already. Raises NotFinished when it has to come back."""
        if job.queue == queue_of(self._partner.name, Lane.NORMAL):
            await self._may_leave()
        attempt = partial(self._sender.attempt, delivery_id, keep=keep, job_id=job.id)
        report = await asyncio.get_running_loop().run_in_executor(self._threads, attempt)
        if report.answer is not None:
            self._record(report.answer)
        self._pass_on(report.verdict)
        return report.job_removed

    async def _may_leave(self) -> None:
        """Wait for the partner's rate. Raises NotFinished when the lane is stopped meanwhile."""
        if self._limiter.has_capacity():
            await self._limiter.acquire()
        else:
            await self._wait_for_rate()
        if self._breaker.is_open or self._stopping.is_set() or self._is_held(Lane.NORMAL):
            raise NotFinished(RetryDecision(retry_at=utcnow()))  # back to its place; the lane fetches nothing now

    async def _wait_for_rate(self) -> None:
        rate, stop = asyncio.ensure_future(self._limiter.acquire()), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((rate, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            rate.cancel()
            stop.cancel()

    def _pass_on(self, verdict: Verdict) -> None:
        if verdict.step is Step.AGAIN:
            raise NotFinished(RetryDecision(retry_at=utcnow() + timedelta(seconds=verdict.wait)))
        if verdict.step is Step.PARKED:
            raise NotFinished(RetryDecision(queue=dead_queue_of(self._partner.name)))

    def _record(self, answer: PartnerAnswer) -> None:
        if answer.code == UNMAPPED:
            return  # that says nothing about the partner
        was_closed = self._breaker.is_closed
        self._breaker.record(answer)
        if self._breaker.is_open and was_closed:
            _log.warning("Partner %s does not answer (%s): it is left alone.", self._partner.name, answer.code)
            if Lane.NORMAL in self._lanes:
                self._lanes[Lane.NORMAL].stop()  # type: ignore[no-untyped-call]
        elif self._breaker.is_closed and not was_closed:
            _log.warning("Partner %s answers again.", self._partner.name)
        self._look_whether_it_is_back(answer)
        if not is_alive(answer):
            self._unreached = self._unreached or answer.outcome is Outcome.NOT_SENT
        elif self._unreached:
            self._unreached = False
            self._hurrying = asyncio.get_running_loop().create_task(self._hurry())

    # --- what an operator keeps from it -------------------------------------------------------------------------------

    def look_at_orders(self) -> None:
        """Stop fetching what is held; what is being sent is finished. To be called whenever the orders may be new."""
        for lane, worker in self._lanes.items():
            if self._is_held(lane):
                worker.stop()  # type: ignore[no-untyped-call]

    def _is_held(self, lane: str) -> bool:
        return self._sender.holds.of(self._partner.name, lane) is not None

    def _look_whether_it_is_back(self, answer: PartnerAnswer) -> None:
        """After the time that was set for a downtime the partner ought to answer; somebody is told if it does not."""
        back = is_alive(answer)
        if self._closing is not None or not self._sender.holds.is_over(self._partner.name):
            return
        silent = self._breaker.is_open or self._breaker.failures > 1
        if back or (silent and not self._is_held(Lane.NORMAL)):
            self._closing = asyncio.get_running_loop().create_task(self._close_over(back))

    async def _close_over(self, back: bool) -> None:
        def close(session: Session) -> int:
            close_over(session, self._partner.name, self._sender.now(), is_back=back)
            return 0

        try:
            await self._in_transaction(close)
            await self._sleep(2 * GOOD_SECONDS)  # until every process knows
        except DATABASE_AWAY:
            pass  # the next answer says it again
        finally:
            self._closing = None

    # --- the lanes --------------------------------------------------------------------------------------------------

    async def _serve_critical(self) -> None:
        while not self._stopping.is_set():
            if self._is_held(Lane.CRITICAL):
                await self._sleep(self._timing.lease)
            else:
                await self._fetch(Lane.CRITICAL, self._partner.critical_concurrency)

    async def _serve_normal(self) -> None:
        while not self._stopping.is_set():
            if self._is_held(Lane.NORMAL):
                await self._sleep(self._timing.lease)
            elif self._breaker.is_closed:
                await self._fetch(Lane.NORMAL, self._partner.concurrency)
            elif self._breaker.is_open:
                await self._pause()
            else:
                await self._fetch(Lane.NORMAL, 1, only_one=True)

    async def _pause(self) -> None:
        """Until the partner may be tried again, or has answered on the critical lane."""
        self._breaker.changed.clear()
        try:
            await asyncio.wait_for(self._breaker.changed.wait(), self._breaker.pause)
        except TimeoutError:
            self._breaker.half_open()

    async def _fetch(self, lane: Lane, concurrency: int, *, only_one: bool = False) -> None:
        """Run jobs of one lane until told to stop, or until the database goes away."""
        worker = _Lane(
            self._app,
            queues=[queue_of(self._partner.name, lane)],
            name=f"{self._partner.name}.{lane}",
            concurrency=concurrency,
            only_one=only_one,
            fetch_job_polling_interval=self._timing.poll,
            abort_job_polling_interval=3600,
            listen_notify=True,
            delete_jobs=DeleteJobCondition.SUCCESSFUL,
            additional_context={"owner": self},
            install_signal_handlers=False,
            update_heartbeat_interval=self._timing.heartbeat,
            stalled_worker_timeout=self._timing.stalled,
        )
        self._lanes[lane] = worker
        try:
            await worker.run()  # type: ignore[no-untyped-call]
        except Exception as problem:
            _log.warning("Lane %s.%s is interrupted: %s.", self._partner.name, lane, type(problem).__name__)
            await self._sleep(self._timing.lease)
        finally:
            del self._lanes[lane]
        await asyncio.sleep(0.02)  # a lane that cannot listen ends at once, again and again

    # --- by the clock -----------------------------------------------------------------------------------------------

    async def _by_the_clock(self, seconds: float, work: Any) -> None:
        while not self._stopping.is_set():
            try:
                await work()
            except (ConnectorException, *DATABASE_AWAY) as problem:
                _log.warning("Recovery for %s is put off: %s.", self._partner.name, type(problem).__name__)
            except Exception as problem:
                _log.error("Recovery for %s failed.", self._partner.name, exc_info=problem)
            await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _alert_caught(self) -> None:
        """A stop needs a second to be known everywhere: what was still accepted meanwhile alarms now."""
        stop = self._sender.holds.of(self._partner.name, Lane.CRITICAL)
        if stop is not None:
            await self._in_transaction(lambda session: alert_caught(session, stop, self._sender.now()))

    async def _recover(self) -> None:
        """Jobs that nobody has in hand any more go back to where they were, with their place in the order.

        Nobody but this owner's lanes: there is no other owner, or this process would not hold the partner's lease. So
        the first look, when it has just taken over, need not wait until the heartbeat of the former one is missed.
        Should that still be sending (it has lost its lease and not its life), the delivery's own state keeps it from
        being sent a second time meanwhile.
        """
        for lane in Lane:
            ours = self._worker_ids()
            running = await self._app.job_manager.get_stalled_jobs(
                queue=queue_of(self._partner.name, lane), seconds_since_heartbeat=0
            )
            ours |= self._worker_ids()
            for job in running:
                if job.worker_id not in ours:
                    _log.warning("Delivery job %s of a worker that died is taken over.", job.id)
                    await self._app.job_manager.retry_job(job, retry_at=utcnow())
        await self._in_transaction(
            lambda session: lift(session, self._partner.name, self._partner.concurrency, self._sender.now())
        )
        await self._in_transaction(lambda session: hasten(session, self._partner.name))

    def _worker_ids(self) -> set[int | None]:
        """The numbers of the lanes that run now."""
        return {worker.worker_id for worker in self._lanes.values() if worker.worker_id is not None}

    async def _adopt(self) -> None:
        await self._in_transaction(
            lambda session: adopt(session, self._sender.jobs, self._partner.name, self._sender.now())
        )
        await self._in_transaction(lambda session: tidy(session, self._partner.name))

    async def _hurry(self) -> None:
        try:
            found = await self._in_transaction(lambda session: hurry(session, self._partner.name))
        except DATABASE_AWAY:
            self._unreached = True
            return
        if found:
            _log.info("%s deliveries to %s need not wait any longer.", found, self._partner.name)

    async def _in_transaction(self, work: Any) -> int:
        def run() -> int:
            with self._sender.sessions.begin() as session:
                return int(work(session))

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)
