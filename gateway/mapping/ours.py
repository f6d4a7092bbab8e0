"""Messages of our contract as stylesheets see and make them: without namespace, and in any order.

Who writes a stylesheet need not know our namespace, nor in which order the contract wants elements, nor leave out what
is empty: that is put right here, by the contract itself.
"""

from __future__ import annotations

from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.mapping.errors import MappingFailed


def as_source(root: str, written: str) -> etree._Element:
    """A message of ours for a stylesheet, from its children as `Wire.write` writes them."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(f"<{root}>{written}</{root}>", parser)


def from_result(contract: Contract, type_name: str, made: etree._Element | str) -> etree._Element:
    """The Request or Response element of a type that a stylesheet has made, in our namespace.

    Raises MappingFailed for an element the contract does not have there.
    """
    if isinstance(made, str):
        raise MappingFailed("The stylesheet makes a text where an element of our contract is wanted.")
    return _arranged(contract, type_name, made, str(etree.QName(made).localname))


def _arranged(contract: Contract, type_name: str, made: etree._Element, path: str) -> etree._Element:
    kind = contract.message_types[type_name]
    order = {field.name: (position, field.type_name) for position, field in enumerate(kind.fields)}
    found: list[tuple[int, etree._Element]] = []
    for child in made.iterchildren(etree.Element):
        name = str(etree.QName(child).localname)
        if name not in order:
            raise MappingFailed(f"The stylesheet makes {path}/{name}, which our contract does not have.")
        position, inner = order[name]
        if inner in contract.message_types:
            element = _arranged(contract, inner, child, f"{path}/{name}")
        else:
            element = etree.Element(f"{{{NAMESPACE}}}{name}")
            element.text = "".join(child.itertext())
        if len(element) or (element.text or "").strip():
            found.append((position, element))
    result = etree.Element(f"{{{NAMESPACE}}}{etree.QName(made).localname}", nsmap={None: NAMESPACE})
    result.extend([element for _, element in sorted(found, key=lambda one: one[0])])
    return result
