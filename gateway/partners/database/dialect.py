"""The dialect of a partner that is reached through its database: `database`.

The way of a message: our request -> the operation's stylesheet -> what it asks of tables and procedures (rows.py) ->
checked against the tables as they are -> one transaction -> perhaps the partner's own answer in a row -> the success
rule and the stylesheet of the answer, as with every mapped partner (docs/databases.md).

What is written is recognised when it comes again: by the column of our MessageId or by what the stylesheet calls
`<known>`. So a message whose commit was not answered is looked up before it is written again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

from lxml import etree
from sqlalchemy.exc import DBAPIError

from gateway.database_config import DatabaseAccess
from gateway.mapping.errors import NotWanted
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.ours import as_source
from gateway.mapping.success import Answered, Meaning, Verdict
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners import queried
from gateway.partners.addressing import Stamp, addressed
from gateway.partners.database.door import Door, Visit
from gateway.partners.database.failures import Misfit, told_as_answer
from gateway.partners.database.rows import Plan, read_plan
from gateway.partners.database.tables import Tables
from gateway.partners.database.writing import Work, need_key
from gateway.partners.failures import UnusableReply
from gateway.partners.mapped import QUERY, CompiledMapping, Mapped, Surroundings, action_of

TRIES = 3
"""How often a message that met a deadlock is written, while half of its time is left."""
_YES = Verdict(Meaning.YES, "0", "")


class _Ended(Exception):
    """The way to an answer has ended early; carries what is told instead."""

    def __init__(self, answer: PartnerAnswer) -> None:
        super().__init__(answer.code)
        self.answer = answer


class Database(Mapped):
    """One partner; any number of threads may use it. Connects with the first message."""

    def __init__(self, partner: Partner, surroundings: Surroundings) -> None:
        super().__init__(partner, surroundings)
        self._door = Door(partner)
        self._access = partner.database or DatabaseAccess()
        self._zone = zone_of(surroundings)
        self._tables = Tables(self._access, self._door.kind, self._zone)

    def call(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer:
        """Carry out one message, within `seconds` from now; never raises."""
        deadline = time.monotonic() + seconds
        try:
            mapping = self.mapping(operation, action_of(request))
            known, plan = self._plan(mapping, operation, request, stamp)
            answer = self._written(plan, stamp, deadline) if plan.writes else self._read(plan, stamp, deadline)
            with under(replace(known, outbound=False)):
                return self._told(operation, mapping, stamp, answer)
        except NotWanted as reason:
            return self._not_wanted(operation, stamp, str(reason))
        except Exception as problem:
            return self._as_answer(problem)

    def rehearse(self, operation: str, request: Any, stamp: Stamp) -> tuple[str, str]:
        """What would be asked of its tables, as text. Raises whatever is wrong with the mapping."""
        _, made = self._made_rows(self.mapping(operation, action_of(request)), operation, request, stamp)
        read_plan(made)
        return "its tables", etree.tostring(made, encoding="unicode", pretty_print=True)

    def find_booking(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer | None:
        """What became of a message about money whose commit was not answered: looked up by its key."""
        if QUERY in self._partner.operations:
            return queried.find_booking(self.call, operation, request, stamp, seconds)
        deadline = time.monotonic() + seconds
        try:
            mapping = self.mapping(operation, action_of(request))
            known, plan = self._plan(mapping, operation, request, stamp)
            with self._visit(deadline) as visit:
                work = self._work(visit, stamp)
                key = work.key_of(plan)
                if key is None:
                    return None if self._partner.repeats_are_safe else PartnerAnswer(Outcome.UNKNOWN, "QUERY-NONE")
                if not work.was_done(key):
                    return None
                if plan.awaited is not None and not work.has_answered(plan.awaited):
                    return PartnerAnswer(Outcome.UNKNOWN, "AWAITED")
            with under(replace(known, outbound=False)):
                return self._told(operation, mapping, stamp, work.answer)
        except NotWanted:
            return None
        except Exception as problem:
            return PartnerAnswer(Outcome.UNKNOWN, f"QUERY-{self._as_answer(problem).code}")

    def close(self) -> None:
        """Let go of its connections."""
        self._door.close()

    # --- the request --------------------------------------------------------------------------------------------------

    def _plan(self, mapping: CompiledMapping, operation: str, request: Any, stamp: Stamp) -> tuple[Circumstances, Plan]:
        known, made = self._made_rows(mapping, operation, request, stamp)
        return known, read_plan(made)

    def _made_rows(
        self, mapping: CompiledMapping, operation: str, request: Any, stamp: Stamp
    ) -> tuple[Circumstances, etree._Element | str]:
        message = addressed(self._partner, operation, request, stamp, self._around.now())
        source = as_source("Request", self._around.wire.write(message))
        known = self._circumstances(mapping, stamp, source)
        with under(known):
            return known, mapping.request.apply(source)

    # --- in the database ----------------------------------------------------------------------------------------------

    def _written(self, plan: Plan, stamp: Stamp, deadline: float) -> etree._Element:
        answer = self._once(plan, stamp, deadline)
        if plan.awaited is None:
            return answer
        try:
            while True:
                with self._visit(deadline) as visit:
                    work = self._work(visit, stamp, answer)
                    if work.has_answered(plan.awaited):
                        return answer
                if deadline - time.monotonic() < plan.awaited.every:
                    raise _Ended(PartnerAnswer(Outcome.UNKNOWN, "AWAITED"))
                time.sleep(plan.awaited.every)
        except _Ended as ended:
            raise _Ended(PartnerAnswer(Outcome.UNKNOWN, "AWAITED", detail=ended.answer.detail)) from None

    def _once(self, plan: Plan, stamp: Stamp, deadline: float) -> etree._Element:
        """Write it, unless it was written before; after a deadlock once more."""
        whole = deadline - time.monotonic()
        for number in range(1, TRIES + 1):
            try:
                return self._write(plan, stamp, deadline)
            except _Ended as ended:
                left = deadline - time.monotonic()
                again = ended.answer.code in ("LOCKED", "UNIQUE") and number < TRIES and left > whole / 2
                if not again or (ended.answer.code == "UNIQUE" and number > 1):
                    raise
        raise AssertionError("the last try returns or raises")

    def _write(self, plan: Plan, stamp: Stamp, deadline: float) -> etree._Element:
        with self._visit(deadline) as visit:
            work = self._work(visit, stamp)
            key = work.key_of(plan)
            need_key(key, plan, self._partner.repeats_are_safe)
            if key is None or not work.was_done(key):
                work.check(plan)
                work.write(plan)
                visit.commit()
        return work.answer

    def _read(self, plan: Plan, stamp: Stamp, deadline: float) -> etree._Element:
        with self._visit(deadline) as visit:
            work = self._work(visit, stamp)
            for wanted in plan.selects:
                work.read(wanted)
        return work.answer

    def _work(self, visit: Visit, stamp: Stamp, answer: etree._Element | None = None) -> Work:
        work = Work(visit, self._tables, self._access, stamp.message_id, self._zone)
        if answer is not None:
            work.answer = answer
        return work

    @contextmanager
    def _visit(self, deadline: float) -> Iterator[Visit]:
        """A connection for a while; whatever goes wrong is told as the outcome it means."""
        visit: Visit | None = None
        try:
            with self._door.visit(deadline - time.monotonic()) as visit:
                yield visit
        except _Ended:
            raise
        except Exception as problem:
            if isinstance(problem, DBAPIError | Misfit):
                self._tables.forget()  # perhaps a column was renamed
            timed_out = visit is not None and visit.cut
            done = visit.may_be_done if visit is not None else ""
            answer = told_as_answer(problem, self._door.kind, timed_out=timed_out, may_be_done=done)
            raise _Ended(answer) from None

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _told(self, operation: str, mapping: CompiledMapping, stamp: Stamp, answer: etree._Element) -> PartnerAnswer:
        """What was written is a yes, unless a success rule is set: that then decides by the answer."""
        answered = Answered(answer, payload=answer)
        has_rule = mapping.settings.success is not None or "success" in self._partner.model_fields_set
        return self._judged(operation, mapping, stamp, answered, mapping.success.judge(answered) if has_rule else _YES)

    def _as_answer(self, problem: Exception) -> PartnerAnswer:
        if isinstance(problem, _Ended):
            return problem.answer
        if isinstance(problem, UnusableReply):
            return PartnerAnswer(problem.outcome, problem.code, detail=problem.detail)
        return told_as_answer(problem, self._door.kind, timed_out=False)


def zone_of(surroundings: Surroundings) -> timezone:
    """Hospital time, which is a fixed offset."""
    return timezone(surroundings.now().utcoffset() or timedelta(0))
