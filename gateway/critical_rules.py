"""The hospital's choices about critical values: the times, who is told when they are over, and by which channels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr

from gateway.strict import Identifier, Strict

Seconds = Annotated[float, Field(gt=0, le=7 * 86400)]
Minutes = Annotated[float, Field(gt=0, le=7 * 1440)]
Stage = Literal["NOTIFY", "RECEIVE", "FORWARD", "HANDLE", "TOTAL", "RETURN"]


class CriticalTimes(Strict):
    """How long each stage of a critical value may take (docs/specification/critical-value.md, "Clocks")."""

    notify_seconds: Seconds = 30
    """Until HIS has it."""
    receive_minutes: Minutes = 10
    """From the push, until a nurse or a doctor has received it."""
    forward_minutes: Minutes = 5
    """From the nurse's receipt, until a doctor has it."""
    handle_minutes: Minutes = 15
    """From then, until it is handled."""
    total_minutes: Minutes = 30
    """From the push, until it is handled."""
    return_seconds: Seconds = 30
    """From the handling, until the department that found it has the opinion."""


class CriticalTimesRule(Strict):
    """Other times for some critical values; what is not said stays as it is for all."""

    source_type: str | None = None
    department: str | None = None
    visit_type: str | None = None
    notify_seconds: Seconds | None = None
    receive_minutes: Minutes | None = None
    forward_minutes: Minutes | None = None
    handle_minutes: Minutes | None = None
    total_minutes: Minutes | None = None
    return_seconds: Seconds | None = None


class CriticalLevel(Strict):
    """Who is told when a stage has lasted too long, and how much too long."""

    stage: Stage
    level: int = Field(ge=1, le=9)
    department: str | None = None
    """Only values of this department; of several lines of a stage and level the first that fits counts."""
    after_minutes: float = Field(default=0, ge=0, le=7 * 1440)
    """From the stage's deadline."""
    receivers: tuple[Annotated[str, Field(pattern=r"^[!-+\--~]{1,20}$")], ...] = ()
    """Codes of people or roles as HIS knows them; WARD and REPORTER stand for those of the value itself."""
    notifiers: tuple[Identifier, ...] = ()


class CriticalRules(CriticalTimes):
    """The loop of a critical value: its times, who is told when they are over, and when it is closed."""

    timers: tuple[CriticalTimesRule, ...] = ()
    """The first that fits a value is taken."""
    chain: tuple[CriticalLevel, ...] = (
        CriticalLevel(stage="NOTIFY", level=1, receivers=("WARD", "REPORTER")),
        CriticalLevel(stage="RECEIVE", level=1, receivers=("WARD", "REPORTER")),
        CriticalLevel(stage="FORWARD", level=1, receivers=("HEAD_NURSE",)),
        CriticalLevel(stage="HANDLE", level=2, receivers=("DIRECTOR",)),
        CriticalLevel(stage="TOTAL", level=2, receivers=("DIRECTOR",)),
        CriticalLevel(stage="TOTAL", level=3, after_minutes=30, receivers=("DUTY",)),
        CriticalLevel(stage="RETURN", level=1, receivers=("REPORTER",)),
    )
    close_when_returned: bool = False
    """Whether a value is closed as soon as its opinion is back; else the department closes it by TECH_CONFIRM."""

    def times_for(self, source_type: str | None, department: str | None, visit_type: str | None) -> CriticalTimes:
        """The times of a value."""
        facts = {"source_type": source_type, "department": department, "visit_type": visit_type}
        for rule in self.timers:
            if all(getattr(rule, name) in (None, fact) for name, fact in facts.items()):
                changes = rule.model_dump(exclude_none=True, exclude=set(facts))
                return CriticalTimes(**{name: getattr(self, name) for name in CriticalTimes.model_fields} | changes)
        return self

    def levels_for(self, stage: str, department: str | None) -> list[CriticalLevel]:
        """Who is told of a late stage, in the order of their turns."""
        found: dict[int, CriticalLevel] = {}
        for line in self.chain:
            if line.stage == stage and line.department in (None, department):
                found.setdefault(line.level, line)
        return sorted(found.values(), key=lambda line: (line.after_minutes, line.level))


class WebhookNotifier(Strict):
    """A channel of the hospital's own: a program that is posted a line of JSON (docs/configuration.md)."""

    kind: Literal["webhook"]
    name: Identifier
    url: HttpUrl
    secret: SecretStr | None = None
    """Signs what is sent; better put into a file that secret_file names."""
    timeout_seconds: float = Field(default=10, gt=0, le=60)


class SmtpNotifier(Strict):
    """A channel by mail."""

    kind: Literal["smtp"]
    name: Identifier
    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    secret: SecretStr | None = None
    """The password; better put into a file that secret_file names."""
    sender: str
    recipients: tuple[str, ...] = Field(min_length=1)
    timeout_seconds: float = Field(default=10, gt=0, le=60)


NotifierSettings = WebhookNotifier | SmtpNotifier
