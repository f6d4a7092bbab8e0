"""A queue calling system (叫号): JSON posted in GB18030, `Y` for yes; its screens show who waits before which room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.simulators.vendors.json_content import content_of, needed, said
from gateway.simulators.vendors.posting import PostedVendor
from gateway.simulators.vendors.vendor import Carry, Question, Refused
from gateway.styles.style import Said

YES, NO = "Y", "N"
BOOKED, ARRIVED, DONE, LEFT = "BOOKED", "ARRIVED", "DONE", "LEFT"
STATES = frozenset({BOOKED, ARRIVED, DONE, LEFT})


class QueueCalling(PostedVendor):
    """A ticket for each requisition that has come to a room; it calls nobody who is not there yet, or gone."""

    name = "JH"
    path = "/queue/api"
    charset = "gb18030"
    unsupported = NO

    def functions(self) -> Mapping[str, Carry]:
        return {"ticket/state": self._state}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return said(code, flag=code, msg=text)

    def numbers(self, question: Question) -> dict[str, str]:
        content = content_of(question, NO)
        words = {"msgNo": "message_id", "applyNo": "requisition_no", "state": "event"}
        return {ours: str(content[theirs]) for theirs, ours in words.items() if content.get(theirs)}

    def state(self) -> dict[str, Any]:
        """Beside what it remembers: who waits before each room, in the order in which they are called."""
        waiting: dict[str, list[str]] = {}
        arrived = [one for one in self.memory.all("tickets") if one["state"] == ARRIVED]
        for ticket in sorted(arrived, key=lambda one: str(one["ticket_no"])):
            waiting.setdefault(ticket["room"], []).append(ticket["requisition_no"])
        return {**super().state(), "waiting": waiting}

    def _state(self, question: Question) -> Said:
        content = content_of(question, NO)
        message, number, state = (needed(content, name, NO) for name in ("msgNo", "applyNo", "state"))
        if state not in STATES:
            raise Refused(NO, "未知状态")
        ticket = self.memory.recall("tickets", (number,)) or {"ticket_no": "", "room": "", "messages": []}
        if message not in ticket["messages"]:
            ticket = self._changed(ticket, number, state, str(content.get("room") or "1"), message)
        return said(YES, flag=YES, msg="", ticketNo=ticket["ticket_no"])

    def _changed(self, ticket: dict[str, Any], number: str, state: str, room: str, message: str) -> dict[str, Any]:
        """Who arrives gets a number behind all others; the last message counts."""
        calls = ticket["ticket_no"]
        if state == ARRIVED:
            calls = self.memory.next_number("calls", "A")
            self.memory.remember("calls", (calls,), ticket_no=calls, requisition_no=number)
        return self.memory.remember(
            "tickets",
            (number,),
            requisition_no=number,
            ticket_no=calls,
            state=state,
            room=room,
            messages=[*ticket["messages"], message],
        )
