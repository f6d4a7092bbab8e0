"""Makes the message of a polled row: the same request the partner would have sent, under the number of the row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from lxml import etree

from gateway.database_config import Poll
from gateway.errors import CodeAwaited, CodeNotMapped, InvalidMessage
from gateway.mapping.codes import CodeTables, Unmapped, UnmappedPolicy
from gateway.mapping.errors import MappingFailed
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.partner_config import Partner
from gateway.partners.database.reading import SourceRow

LONGEST_ID = 64
_VISIBLE = re.compile(r"[!-~]+")


class RowRequests:
    """The messages of one poll. Raises StylesheetBroken when its stylesheet cannot be used."""

    def __init__(
        self, partner: Partner, poll: Poll, hospital_code: str, now: Callable[[], datetime], codes: CodeTables
    ) -> None:
        self._partner = partner
        self._poll = poll
        self._hospital_code = hospital_code
        self._now = now
        self._codes = codes
        self._stylesheet = Stylesheet(located(poll.stylesheet, partner.folder))

    def message_id(self, row: SourceRow, again: int) -> str:
        """The same for a row and version however often they are read; another for each new try of a refused one."""
        end = f"-R{again}" if again else ""
        version = f"-{row.version}" if row.version else ""
        plain = f"{self._poll.name}-{row.key}{version}{end}"
        if _VISIBLE.fullmatch(plain) and len(plain) <= LONGEST_ID:
            return plain
        digest = hashlib.sha256(f"{row.key}\n{row.version}".encode()).hexdigest()[:32]
        return f"{self._poll.name}-{digest}{end}"

    def make(self, row: SourceRow, again: int) -> etree._Element:
        """The request as the stylesheet makes it, under the number of its row. Raises InvalidMessage, CodeNotMapped."""
        message_id = self.message_id(row, again)
        try:
            if row.element is None:
                raise MappingFailed("the driver cannot read this row: wrong bytes in a text, or a date that is none.")
            with under(self._circumstances(message_id)):
                made = self._stylesheet.apply(row.element)
            if isinstance(made, str) or etree.QName(made).localname != "Request":
                raise MappingFailed(f"{self._poll.stylesheet} must make <Request>.")
        except MappingFailed as problem:
            raise InvalidMessage("数据行无法转换为报文。", str(problem)) from None
        except Unmapped as problem:
            kind = CodeAwaited if problem.policy is UnmappedPolicy.PARK else CodeNotMapped
            raise kind(f"对照表：{problem.table}。", f"Table {problem.table}.", path=problem.table) from None
        _name(made, message_id, self._partner.client_name)
        return made

    def look_up(self, row: etree._Element, message_id: str, at: datetime, codes: CodeTables) -> None:
        """Ask these tables all that the stylesheet asks about a row that was read then. Raises MappingFailed."""
        alone = etree.fromstring(etree.tostring(row, with_tail=False))
        with under(replace(self._circumstances(message_id), now=at, codes=codes)):
            self._stylesheet.apply(alone)

    def _circumstances(self, message_id: str) -> Circumstances:
        return Circumstances(
            partner=self._partner.name,
            hospital_code=self._hospital_code,
            outbound=False,
            now=self._now(),
            codes=self._codes,
            values={"partner": self._partner.name, "message_id": message_id},
        )


def _name(made: etree._Element, message_id: str, sender: str) -> None:
    """Under which number and whose name it comes is not the stylesheet's to say."""
    header = next((one for one in made.iterchildren(etree.Element) if etree.QName(one).localname == "Header"), None)
    if header is None:
        header = etree.Element("Header")
        made.insert(0, header)
    for name, value in (("MessageId", message_id), ("SenderCode", sender)):
        found = next((one for one in header.iterchildren(etree.Element) if etree.QName(one).localname == name), None)
        element = found if found is not None else etree.SubElement(header, name)
        element.text = value


def in_words(problem: InvalidMessage | CodeNotMapped) -> str:
    """What is wrong with a row, without any of its values."""
    return f"{problem.path}: {problem.text_en}" if problem.path else problem.text_en
