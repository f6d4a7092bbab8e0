"""The maintenance hours of partner.toml, told as the order an operator would have given for them.

So everything that knows an operator's planned maintenance knows these hours too (docs/specification/delivery.md,
"Maintenance hours").
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo

from gateway.maintenance_hours import going_on
from gateway.model.partner_hold import HoldMode, PartnerHold
from gateway.partner_config import Partner

DECLARED_BY = "partner.toml"


class MaintenancePlan:
    """The hours of all partners, in hospital time; any number of threads may use it."""

    def __init__(self, partners: Iterable[Partner], zone: tzinfo) -> None:
        self._hours = {partner.name: partner.maintenance_hours for partner in partners if partner.maintenance}
        self._zone = zone

    def of(self, partner: str, at: datetime) -> PartnerHold | None:
        """The maintenance a partner is in at a moment; None when it is in none of its hours."""
        found = going_on(self._hours.get(partner, ()), at.astimezone(self._zone))
        if found is None:
            return None
        begun, end = found
        return PartnerHold(
            partner=partner,
            mode=HoldMode.MAINTENANCE,
            reason="its maintenance hours",
            declared_by=DECLARED_BY,
            declared_at=begun,
            starts_at=begun,
            until=end,
        )

    def at(self, moment: datetime) -> list[PartnerHold]:
        """Those of all partners."""
        return [hold for name in self._hours if (hold := self.of(name, moment)) is not None]
