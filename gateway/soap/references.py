"""Values that stand beside a request and are referred to (SOAP 1.1, section 5: multiRef) are put where they belong.

Delphi and Axis 1.x write so when they are told rpc/encoded. Every value may be referred to once: then the message says
the same without references, and cannot grow.
"""

from __future__ import annotations

from lxml import etree

from gateway.errors import InvalidMessage

ENCODING_11 = "http://schemas.xmlsoap.org/soap/encoding/"
ENCODING_12 = "http://www.w3.org/2003/05/soap-encoding"
HREF, REF = "href", f"{{{ENCODING_12}}}ref"
REFERENCES = (HREF, REF)
MOST = 1000
_IDS = ("id", f"{{{ENCODING_12}}}id")
_DROPPED = {*_IDS, f"{{{ENCODING_11}}}root"}

_referring = etree.XPath("//*[@href or @e:ref]", namespaces={"e": ENCODING_12})


def put_in_place(soap_body: etree._Element, deepest: int) -> None:
    """Move every value beside the request to where it is referred to; InvalidMessage unless each has one such place."""
    values: dict[str, etree._Element] = {}
    for beside in soap_body[1:]:
        name = next((found for found in map(beside.get, _IDS) if found is not None), None)
        if name is None or name in values:
            raise refused(beside)
        values[name] = beside
    referring = _referring(soap_body)
    if len(referring) > MOST:
        raise refused(referring[MOST])
    for element in referring:
        value = values.pop(_name_in(element), None)
        if value is None or len(element) or (element.text or "").strip():
            raise refused(element)
        above = [one for one, _ in zip(element.iterancestors(), range(deepest), strict=False)]
        if len(above) == deepest or soap_body not in above or value in above:
            raise refused(element)
        _fill(element, value)
        soap_body.remove(value)


def _name_in(element: etree._Element) -> str:
    name = element.get(HREF)
    return str(element.get(REF, "")) if name is None else str(name).removeprefix("#")


def _fill(element: etree._Element, value: etree._Element) -> None:
    for attribute in REFERENCES:
        element.attrib.pop(attribute, None)
    for attribute, said in value.attrib.items():
        if attribute not in _DROPPED:
            element.set(attribute, said)
    element.text = value.text
    element.extend(list(value))


def refused(element: etree._Element) -> InvalidMessage:
    """The refusal of an element that refers to something else."""
    name = str(etree.QName(element).localname)[:64]
    return InvalidMessage(
        f"不支持该 href 引用（附件、多次引用、引用不到的 multiRef），请用 document/literal（{name}）。",
        "This reference is not supported (an attachment, a multiRef used twice or not there): use document/literal"
        f" ({name}).",
        path=name,
    )
