"""What an outside channel is told of a late critical value, and what a channel is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.model.critical_value import CriticalStage, CriticalValue, Notification

SOURCES = {
    "1": "检验",
    "2": "病理",
    "3": "心电",
    "4": "超声",
    "5": "内镜",
    "6": "放射",
    "7": "POCT",
    "9": "手工",
}
STAGES = {
    CriticalStage.NOTIFY: "未送达",
    CriticalStage.RECEIVE: "未接收",
    CriticalStage.FORWARD: "未转医生",
    CriticalStage.HANDLE: "医生未处理",
    CriticalStage.TOTAL: "未处理",
    CriticalStage.RETURN: "意见未回传",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification; its number is the same on every attempt, so that a receiver knows a repetition."""

    notice: str
    hospital_code: str
    critical_id: str
    sender: str
    """The system that found it."""
    source: str
    stage: str
    level: int
    receivers: tuple[str, ...]
    department: str
    ward: str
    bed: str
    due_at: datetime
    late_minutes: float
    text: str
    """All of it in one line for a telephone's screen."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"due_at": self.due_at.isoformat(), "receivers": list(self.receivers)}


class NotTaken(Exception):
    """The channel has not taken it; the text is a short code, without any content."""


class Notifier(Protocol):
    """An outside channel."""

    def send(self, notice: Notice) -> None:
        """Hand it over. Raises NotTaken unless the channel has certainly taken it."""
        ...


def notice_of(notification: Notification, value: CriticalValue, now: datetime) -> Notice:
    """What is told, as late as it is now."""
    escalation = notification.escalation
    late = round(max((now - escalation.due_at).total_seconds(), 0) / 60, 1)
    source = SOURCES.get(value.source_type or "", value.source_type or "未知来源")
    place = " ".join(filter(None, [value.dept_code, value.ward_code, value.bed_no and f"{value.bed_no}床"]))
    stage = STAGES[CriticalStage(escalation.stage)]
    text = f"危急值{stage}，已超时{late:g}分钟：{source} {value.critical_id}，{place or '位置未知'}"
    return Notice(
        notice=f"GW-N{notification.id}",
        hospital_code=value.hospital_code,
        critical_id=value.critical_id,
        sender=value.sender_code,
        source=source,
        stage=escalation.stage,
        level=escalation.level,
        receivers=tuple(escalation.receivers.split(",")),
        department=value.dept_code or "",
        ward=value.ward_code or "",
        bed=value.bed_no or "",
        due_at=escalation.due_at,
        late_minutes=late,
        text=f"{text}，第{escalation.level}级提醒",
    )
