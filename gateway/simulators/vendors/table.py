"""All vendors' systems by the word `gateway simulate` has for them: a new one is one module and one line here."""

from __future__ import annotations

from gateway.simulators.vendors.pacs import Pacs
from gateway.simulators.vendors.vendor import Vendor

VENDORS: dict[str, type[Vendor]] = {
    "pacs": Pacs,
}
