"""Says what is wrong with a message that breaks the contract: where, which rule, what is allowed there instead.

libxml2 finds the first element that is wrong and the kind of mistake; the words come from the contract, in Chinese and
English, and never from the message, whose values may be a patient's. (The explaining validator `xmlschema` says no more
than this, takes 0.6 s to build in every process and a second for 50,000 bad elements; tests compare the two.)
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from lxml import etree

from gateway.contract import NAMESPACE, Contract, Field, MessageType
from gateway.errors import InvalidMessage
from gateway.soap.expectations import BROKEN_FACETS, NOT_A_VALUE, WRONG_IDENTIFIER, Label, form_of, is_identifier
from gateway.soap.places import LONGEST_NAME, Place, Reference, local_name, place_of, reference_of

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
XSI_NIL, XSI_TYPE = f"{XSI}nil", f"{XSI}type"
LONGEST_TEXT = 500
"""Of a path or an expectation; the texts of a fault have a fixed beginning of their own."""
LONGEST_DETAIL = 420


def normalise(contract: Contract, wrapper: etree._Element) -> bool:
    """Mend in place what old clients write for "nothing here", so that the schema can be asked once more.

    Drops empty optional elements, xsi:nil, and white space around dates. True if anything was changed.
    """
    reference = reference_of(contract)
    kind = reference.wrappers.get(wrapper.tag)
    return kind is not None and _normalise_children(reference, wrapper, kind)


def explain(contract: Contract, wrapper: etree._Element) -> InvalidMessage:
    """The refusal of a wrapper element that fails the schema; any number of threads may ask at once."""
    return _Explanation(reference_of(contract), wrapper).refusal()


def unknown_operation(contract: Contract, wrapper: etree._Element) -> InvalidMessage:
    """The refusal of a wrapper element that is no operation of ours."""
    names = {operation.name: operation.chinese for operation in contract.operations}
    name = local_name(wrapper)
    if name in names:
        return _wrong_namespace(Label(name, names[name]), name)
    hint_zh, hint_en = _suggestion(name, list(names))
    return InvalidMessage(
        f"没有操作 {name}。{hint_zh}",
        f"There is no operation {name}.{hint_en}",
        path=name,
        expected=_cut(" | ".join(names)),
    )


# --- Mending ----------------------------------------------------------------------------------------------------------


def _normalise_children(reference: Reference, element: etree._Element, kind: MessageType) -> bool:
    changed = False
    fields = reference.fields(kind)
    for child in list(element):
        field = fields.get(child.tag)
        if field is None:
            continue
        if field.optional and _says_nothing(child):
            element.remove(child)
            changed = True
            continue
        if child.get(XSI_NIL, "").strip() in ("false", "0"):
            del child.attrib[XSI_NIL]
            changed = True
        inner = reference.kind_of(field)
        if inner is not None:
            changed |= _normalise_children(reference, child, inner)
        elif field.type_name in ("date", "dateTime") and child.text and child.text != child.text.strip():
            child.text = child.text.strip()
            changed = True
    return changed


def _says_nothing(element: etree._Element) -> bool:
    """No child, no text inside or after it, no attribute but xsi:nil."""
    return (
        len(element) == 0
        and not (element.text or "").strip()
        and not (element.tail or "").strip()
        and set(element.keys()) <= {XSI_NIL}
    )


# --- Explaining -------------------------------------------------------------------------------------------------------


class _Explanation:
    """One message that is refused."""

    def __init__(self, reference: Reference, wrapper: etree._Element) -> None:
        self._reference = reference
        self._wrapper = wrapper

    def _place(self, element: etree._Element) -> Place:
        return place_of(self._reference, self._wrapper, element)

    def refusal(self) -> InvalidMessage:
        error = self._reference.first_error(self._wrapper)
        if error is None:
            return InvalidMessage()
        if self._wrapper.tag not in self._reference.wrappers:
            return unknown_operation(self._reference.contract, self._wrapper)
        element = _element_at(self._wrapper, error.path or "")
        if element is None:
            return InvalidMessage()
        if error.type_name == "SCHEMAV_ELEMENT_CONTENT" and "Missing child" not in error.message:
            return self._unexpected(element)
        place = self._place(element)
        explain: Callable[[Place], InvalidMessage] | None = {
            "SCHEMAV_ELEMENT_CONTENT": self._incomplete,
            "SCHEMAV_CVC_ELT_3_1": self._nil,
            "SCHEMAV_CVC_COMPLEX_TYPE_2_3": self._text_between,
            "SCHEMAV_CVC_TYPE_3_1_1": self._attribute,
            "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": self._attribute,
            "SCHEMAV_CVC_TYPE_3_1_2": self._child_in_value,
        }.get(error.type_name)
        if explain is not None:
            return explain(place)
        if XSI_TYPE in element.attrib:
            return self._attribute(place)
        return self._value(place, error.type_name)

    # --- wrong children ---

    def _unexpected(self, element: etree._Element) -> InvalidMessage:
        """A child that may not stand where it stands: unknown, misspelt, repeated, too early, too late, too many."""
        place, parent = self._place(element), self._place(element.getparent())
        kind = parent.kind
        if kind is None:
            return InvalidMessage(path=_cut(place.path))
        if etree.QName(element).namespace != NAMESPACE:
            return _wrong_namespace(self._label_in(kind, local_name(element)), place.path)
        if place.field is None:
            return self._unknown(place, parent, kind)
        if kind.is_list:
            return self._too_many(place, parent, kind)
        return self._misplaced(place, parent, kind)

    def _label_in(self, kind: MessageType, name: str) -> Label:
        field = self._reference.fields(kind).get(f"{{{NAMESPACE}}}{name}")
        return self._label(field) if field else Label(name)

    def _unknown(self, place: Place, parent: Place, kind: MessageType) -> InvalidMessage:
        name = local_name(place.element)
        hint_zh, hint_en = _suggestion(name, [field.name for field in kind.fields])
        return _refuse(
            f"{self._label_of(parent).zh}内没有元素 {name}。{hint_zh}",
            f"{self._label_of(parent).en} has no element {name}.{hint_en}",
            place.path,
            self._allowed_next(place.element, kind),
        )

    def _too_many(self, place: Place, parent: Place, kind: MessageType) -> InvalidMessage:
        child = kind.fields[0]
        return _refuse(
            f"{self._label_of(parent).zh}内最多 {child.max_occurs} 个{self._label(child).zh}。",
            f"{self._label_of(parent).en} holds at most {child.max_occurs} of {self._label(child).en}.",
            place.path,
            f"{child.name}: 1..{child.max_occurs}",
        )

    def _misplaced(self, place: Place, parent: Place, kind: MessageType) -> InvalidMessage:
        """A known element at the wrong position, or after a required one that is missing."""
        order = list(self._reference.fields(kind))
        position = order.index(place.element.tag)
        before = [one.tag for one in place.element.itersiblings(preceding=True)]
        after = {one.tag for one in place.element.itersiblings()}
        allowed = self._allowed_next(place.element, kind)
        label = self._label(kind.fields[position])
        if place.element.tag in before:
            return _refuse(f"{label.zh}只能出现一次。", f"{label.en} may occur only once.", place.path, allowed)
        overtaken = [tag for tag in before if tag in order and order.index(tag) > position]
        if overtaken:
            other = self._label(kind.fields[order.index(overtaken[-1])])
            return _refuse(
                f"{label.zh}的位置不对，应在{other.zh}之前。",
                f"{label.en} is out of order: it belongs before {other.en}.",
                place.path,
                allowed,
            )
        skipped = [field for field in kind.fields[:position] if not field.optional]
        absent = [field for field in skipped if f"{{{NAMESPACE}}}{field.name}" not in {*before, *after}]
        if absent:
            return self._missing(parent, absent)
        late = [field for field in skipped if f"{{{NAMESPACE}}}{field.name}" not in before]
        other = self._label(late[0]) if late else Label(allowed)
        return _refuse(
            f"{label.zh}的位置不对，应在{other.zh}之后。",
            f"{label.en} is out of order: it belongs after {other.en}.",
            place.path,
            allowed,
        )

    def _incomplete(self, place: Place) -> InvalidMessage:
        """The children stop before a required one."""
        assert place.kind is not None
        present = {child.tag for child in place.element}
        fields = [field for field in place.kind.fields if not field.optional]
        return self._missing(place, [field for field in fields if f"{{{NAMESPACE}}}{field.name}" not in present])

    def _missing(self, parent: Place, fields: list[Field]) -> InvalidMessage:
        labels = [self._label(field) for field in fields]
        path = f"{parent.path}/{fields[0].name}".lstrip("/") if fields else parent.path
        return _refuse(
            f"缺少必填元素：{'、'.join(label.zh for label in labels)}。",
            f"Missing required element: {', '.join(label.en for label in labels)}.",
            path,
            ", ".join(field.name for field in fields),
        )

    def _allowed_next(self, element: etree._Element, kind: MessageType) -> str:
        """The names that may stand where an element stands: from the one before it to the next required one."""
        order = list(self._reference.fields(kind))
        reached = [order.index(one.tag) for one in element.itersiblings(preceding=True) if one.tag in order]
        names = []
        for field in kind.fields[max(reached, default=-1) + 1 :]:
            names.append(field.name)
            if not field.optional:
                break
        return " | ".join(names)

    # --- wrong content ---

    def _nil(self, place: Place) -> InvalidMessage:
        label = self._label_of(place)
        return _refuse(
            f"{label.zh}不能用 xsi:nil 表示为空，必须有值。",
            f"{label.en} needs a value: xsi:nil is not allowed.",
            place.path,
            self._form(place),
        )

    def _text_between(self, place: Place) -> InvalidMessage:
        label = self._label_of(place)
        return _refuse(
            f"{label.zh}内只能有子元素，不能有文字。",
            f"{label.en} holds elements only, no text.",
            place.path,
            self._form(place),
        )

    def _attribute(self, place: Place) -> InvalidMessage:
        label = self._label_of(place)
        names = [etree.QName(name).localname[:LONGEST_NAME] for name in place.element.attrib if name != XSI_NIL]
        name = names[0] if names else ""
        return _refuse(
            f"{label.zh}不能带属性 {name}。",
            f"{label.en} may not have the attribute {name}.",
            place.path,
            "no attributes",
        )

    def _child_in_value(self, place: Place) -> InvalidMessage:
        label = self._label_of(place)
        return _refuse(
            f"{label.zh}内只能是值，不能有子元素。",
            f"{label.en} holds a value only, no elements.",
            place.path,
            self._form(place),
        )

    def _value(self, place: Place, kind_of_error: str) -> InvalidMessage:
        label = self._label_of(place)
        form = self._form(place)
        if not (place.element.text or "").strip():
            return _refuse(f"{label.zh}不能为空。", f"{label.en} may not be empty.", place.path, form)
        contract, type_name = self._reference.contract, place.field.type_name if place.field else "string"
        problem = BROKEN_FACETS.get(kind_of_error) or NOT_A_VALUE.get(contract.primitive_of(type_name))
        if kind_of_error == "SCHEMAV_CVC_PATTERN_VALID" and is_identifier(contract, type_name):
            problem = WRONG_IDENTIFIER
        chinese, english = problem or ("的内容不对", "has the wrong content")
        return _refuse(f"{label.zh}{chinese}。", f"{label.en} {english}.", place.path, form)

    # --- words ---

    def _label(self, field: Field) -> Label:
        return Label(field.name, self._reference.chinese(field))

    def _label_of(self, place: Place) -> Label:
        if place.field is None:
            return Label(local_name(place.element), place.kind.chinese if place.kind else "")
        return self._label(place.field)

    def _form(self, place: Place) -> str:
        """What is allowed in an element, short: a form, a range, a list of values, the names of its children."""
        if place.kind is not None:
            return ", ".join(field.name for field in place.kind.fields)
        return "" if place.field is None else form_of(self._reference.contract, place.field)


def _refuse(chinese: str, english: str, path: str, expected: str) -> InvalidMessage:
    return InvalidMessage(
        _cut(chinese.strip(), LONGEST_DETAIL), _cut(english, LONGEST_DETAIL), path=_cut(path), expected=_cut(expected)
    )


def _wrong_namespace(label: Label, path: str) -> InvalidMessage:
    return _refuse(
        f"{label.zh}的命名空间不对，所有元素都必须属于 {NAMESPACE}。",
        f"{label.en} is in the wrong namespace: every element belongs to {NAMESPACE}.",
        path,
        f'xmlns="{NAMESPACE}"',
    )


def _suggestion(name: str, names: list[str]) -> tuple[str, str]:
    """Which name the sender may have meant."""
    by_lower = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.75)
    return (f"是否应为 {by_lower[close[0]]}？", f" Is it {by_lower[close[0]]}?") if close else ("", "")


def _cut(text: str, length: int = LONGEST_TEXT) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _element_at(wrapper: etree._Element, path: str) -> etree._Element | None:
    """The element libxml2 names by a path like /*/*[3]/p:Item[2], counted from the wrapper."""
    element = wrapper
    for step in path.split("/")[2:]:
        name, _, number = step.partition("[")
        if name.startswith("@"):
            return element
        children = [child for child in element.iterchildren("*") if name in ("*", _prefixed_name(child))]
        position = int(number[:-1]) - 1 if number else 0
        if position >= len(children):
            return None
        element = children[position]
    return element


def _prefixed_name(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else str(name)
