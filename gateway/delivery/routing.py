"""Which partners must have a message: the routing table of gateway.toml, of which the most specific line counts."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.config import Route
from gateway.terms import RequisitionType


def partners_of(
    routes: Sequence[Route],
    operation: str,
    *,
    hospital_code: str,
    requisition_type: RequisitionType | None,
    perform_dept: str | None,
) -> tuple[str, ...]:
    """The partners of the line that says most about the message; of two that say as much, the earlier; () if none."""
    facts = (perform_dept, requisition_type, hospital_code)
    fitting = [
        route
        for route in routes
        if route.operation == operation
        and all(wanted in (None, fact) for wanted, fact in zip(_conditions(route), facts, strict=True))
    ]
    return max(fitting, key=_specificity).partners if fitting else ()


def _conditions(route: Route) -> tuple[str | None, RequisitionType | None, str | None]:
    return route.perform_dept, route.requisition_type, route.hospital_code


def _specificity(route: Route) -> tuple[int, list[bool]]:
    """More conditions say more; of as many, the department says more than the kind, the kind more than the hospital."""
    given = [condition is not None for condition in _conditions(route)]
    return sum(given), given
