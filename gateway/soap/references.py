"""Values that stand beside a request and are referred to (SOAP 1.1, section 5: multiRef) are put where they belong.

Delphi and Axis 1.x write so when they are told rpc/encoded. Equal objects stand there once and are referred to wherever
they are used, the quantity 1 by every line of a charge: each place gets a copy of its own. How much a message may grow
by that is limited, and what leads back to itself is refused.
"""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

from gateway.errors import InvalidMessage

ENCODING_11 = "http://schemas.xmlsoap.org/soap/encoding/"
ENCODING_12 = "http://www.w3.org/2003/05/soap-encoding"
HREF, REF = "href", f"{{{ENCODING_12}}}ref"
REFERENCES = (HREF, REF)
MOST_ELEMENTS = 20_000
MOST_CHARACTERS = 2_000_000
"""By which values that are used again may let a message grow, written out; used once they add nothing."""
_IDS = ("id", f"{{{ENCODING_12}}}id")
_DROPPED = {*_IDS, f"{{{ENCODING_11}}}root"}

_referring = etree.XPath(".//*[@href or @e:ref]", namespaces={"e": ENCODING_12})
_referring_anywhere = etree.XPath("//*[@href or @e:ref]", namespaces={"e": ENCODING_12})
_elements = etree.XPath("count(descendant-or-self::*)")


def put_in_place(soap_body: etree._Element, deepest: int) -> None:
    """Put every value beside the request where it is referred to.

    InvalidMessage unless every reference leads to a value, every value is referred to, and the limits are kept.
    """
    anywhere = _referring_anywhere(soap_body)
    if len(anywhere) > len(_referring(soap_body)):
        raise refused(anywhere[0])
    values: dict[str, etree._Element] = {}
    for beside in soap_body[1:]:
        name = next((found for found in map(beside.get, _IDS) if found is not None), None)
        if name is None or name in values:
            raise refused(beside)
        values[name] = beside
    copying = _Copying(values, deepest)
    for element in _referring(soap_body[0]):
        copying.fill(element, ())
    for name, value in values.items():
        if name not in copying.used:
            raise refused(value)
    del soap_body[1:]


class _Copying:
    """The values of one message, and how much has been copied so far."""

    def __init__(self, values: dict[str, etree._Element], deepest: int) -> None:
        self.used: set[str] = set()
        """Values that stand somewhere already."""
        self._sizes: dict[str, tuple[int, int]] = {}
        self._referring: dict[str, bool] = {}
        self._values = values
        self._deepest = deepest
        self._elements = MOST_ELEMENTS
        self._characters = MOST_CHARACTERS

    def fill(self, element: etree._Element, within: tuple[str, ...]) -> None:
        """Give an element the value it refers to; `within` are those it is itself a part of."""
        name = _name_in(element)
        value = self._values.get(name)
        wrong = value is None or len(element) or (element.text or "").strip()
        if value is None or wrong or name in within or len(within) == self._deepest:
            raise refused(element)
        self._count(name, value)
        for attribute in REFERENCES:
            element.attrib.pop(attribute, None)
        for attribute, said in value.attrib.items():
            if attribute not in _DROPPED:
                element.set(attribute, said)
        element.text = value.text
        element.extend([deepcopy(child) for child in value])
        if any(one in element.attrib for one in REFERENCES):
            self.fill(element, (*within, name))
        elif self._refers(name, value):
            for inner in _referring(element):
                self.fill(inner, (*within, name))

    def _refers(self, name: str, value: etree._Element) -> bool:
        """Whether there are references in a value; most have none, and are asked once."""
        if name not in self._referring:
            self._referring[name] = len(value) > 0 and bool(_referring(value))
        return self._referring[name]

    def _count(self, name: str, value: etree._Element) -> None:
        """Note that a value is used; InvalidMessage when all further copies together are too much."""
        if name not in self.used:
            self.used.add(name)
            return
        if name not in self._sizes:
            self._sizes[name] = int(_elements(value)), len(etree.tostring(value, encoding="unicode", with_tail=False))
        elements, characters = self._sizes[name]
        self._elements -= elements
        self._characters -= characters
        if self._elements < 0 or self._characters < 0:
            raise InvalidMessage(
                "多次引用的 multiRef 展开后过大，请分批发送，或用 document/literal。",
                "The multiRefs that are used several times make too large a message: send it in parts, or use"
                " document/literal.",
                path=str(etree.QName(value).localname)[:64],
            )


def _name_in(element: etree._Element) -> str:
    name = element.get(HREF)
    return str(element.get(REF, "")) if name is None else str(name).removeprefix("#")


def refused(element: etree._Element) -> InvalidMessage:
    """The refusal of an element that refers to something else."""
    name = str(etree.QName(element).localname)[:64]
    return InvalidMessage(
        f"不支持该 href 引用（附件、引用不到或多余的 multiRef、循环引用），请用 document/literal（{name}）。",
        "This reference is not supported (an attachment, a multiRef that is not there, is left over or leads back to"
        f" itself): use document/literal ({name}).",
        path=name,
    )
