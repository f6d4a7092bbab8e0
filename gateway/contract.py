"""The contract as partners see it, read from wsdl/ and xsd/: what an operation carries, in order, and its Chinese name.

The files are the single source of truth (docs/specification/contract.md). Everything else that must know a field reads
it here: the conversion of messages, the texts of faults, the documents served to partners, the interface of Spyne.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lxml import etree

NAMESPACE = "urn:hospital-gateway:v1"
XS = "{http://www.w3.org/2001/XMLSchema}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
MAX_LENGTH = "urn:hospital-gateway:max-length"
NAME = "urn:hospital-gateway:name"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

PRIMITIVES = frozenset({"string", "token", "decimal", "int", "date", "dateTime", "boolean", "base64Binary"})


class ContractError(Exception):
    """The files of the contract use something outside the subset this gateway knows."""


@dataclass(frozen=True, slots=True)
class Field:
    """One element of a message type."""

    name: str
    """As in the XML, for example RequisitionNo."""
    type_name: str
    """The name of its XSD type, without prefix."""
    optional: bool
    max_length: int | None
    """Of free text, in code points; None for everything the XSD limits by itself."""
    chinese: str
    english: str
    max_occurs: int = 1
    """More than one only for the repeated child of a list."""

    @property
    def attribute(self) -> str:
        """The same name as Python writes it: RequisitionNo -> requisition_no."""
        return snake_case(self.name)


@dataclass(frozen=True, slots=True)
class MessageType:
    """A complex type: a sequence of fields, or a list of one repeated child."""

    name: str
    fields: tuple[Field, ...]
    is_list: bool
    module: str
    """The file of xsd/ that defines it, without suffix."""
    chinese: str
    english: str


@dataclass(frozen=True, slots=True)
class ValueType:
    """A simple type: a primitive with facets, or a closed set."""

    name: str
    primitive: str
    values: tuple[tuple[str, str, str, str], ...]
    """Of a closed set: value, Python name, Chinese, English."""
    facets: tuple[tuple[str, str], ...]
    module: str
    chinese: str
    english: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the service, in the order of the WSDL."""

    name: str
    chinese: str
    english: str

    @property
    def request_type(self) -> str:
        return f"{self.name}Request"

    @property
    def response_type(self) -> str:
        return f"{self.name}ResponseType"


def snake_case(name: str) -> str:
    """RequisitionNo -> requisition_no, StudyInstanceUid -> study_instance_uid, Udi -> udi."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def find_contract_folder() -> Path:
    """The folder that holds wsdl/ and xsd/: beside the package in a checkout, inside it when installed."""
    here = Path(__file__).resolve().parent
    for folder in (here / "contract_files", here.parent):
        if (folder / "wsdl" / "gateway.wsdl").is_file():
            return folder
    raise ContractError(f"wsdl/gateway.wsdl was not found beside {here}: reinstall the gateway.")


@dataclass(frozen=True)
class Contract:
    """wsdl/ and xsd/, read once when the process starts."""

    folder: Path = field(default_factory=find_contract_folder)

    @cached_property
    def modules(self) -> dict[str, etree._Element]:
        """Every file of xsd/ by its name without suffix, in the order gateway.xsd includes them."""
        main = _parse(self.folder / "xsd" / "gateway.xsd")
        names = [include.get("schemaLocation").removesuffix(".xsd") for include in main.iter(f"{XS}include")]
        return {name: _parse(self.folder / "xsd" / f"{name}.xsd") for name in names} | {"gateway": main}

    @cached_property
    def message_types(self) -> dict[str, MessageType]:
        return {
            element.get("name"): _message_type(element, module)
            for module, root in self.modules.items()
            for element in root.iterchildren(f"{XS}complexType")
        }

    @cached_property
    def value_types(self) -> dict[str, ValueType]:
        return {
            element.get("name"): _value_type(element, module)
            for module, root in self.modules.items()
            for element in root.iterchildren(f"{XS}simpleType")
        }

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        port_type = _parse(self.folder / "wsdl" / "gateway.wsdl").find(f"{WSDL}portType")
        found = []
        for element in port_type.iterchildren(f"{WSDL}operation"):
            chinese, _, english = element.findtext(f"{WSDL}documentation").partition("。")
            found.append(Operation(element.get("name"), chinese, english.strip().rstrip(".")))
        return tuple(found)

    @cached_property
    def schema(self) -> etree.XMLSchema:
        """The precompiled schema of the wrapper element, the one child of soap:Body. Compiled once per process."""
        return etree.XMLSchema(etree.parse(self.folder / "xsd" / "gateway.xsd"))

    def primitive_of(self, type_name: str) -> str:
        """string, token, decimal ... of a simple type, built in or ours."""
        if type_name in self.value_types:
            return self.value_types[type_name].primitive
        if type_name in PRIMITIVES:
            return type_name
        raise ContractError(f"The XSD type {type_name} is not known; use the subset of docs/specification/contract.md.")

    def list_child(self, type_name: str) -> Field | None:
        """The repeated child if the type is a list, else None."""
        found = self.message_types.get(type_name)
        return found.fields[0] if found is not None and found.is_list else None

    def sample(self, operation: str) -> Path:
        """A complete realistic SOAP 1.1 request of an operation."""
        return self.folder / "wsdl" / "samples" / f"{operation}.xml"


def _parse(path: Path) -> etree._Element:
    return etree.parse(path, etree.XMLParser(remove_comments=True, no_network=True, resolve_entities=False)).getroot()


def _texts(element: etree._Element) -> tuple[str, str]:
    """The Chinese and English documentation; the Chinese name of a thing ends at its first colon."""
    texts = {d.get(XML_LANG): (d.text or "").strip() for d in element.iterfind(f"{XS}annotation/{XS}documentation")}
    return texts.get("zh", ""), texts.get("en", "")


def _appinfo(element: etree._Element, source: str) -> str | None:
    for info in element.iterfind(f"{XS}annotation/{XS}appinfo"):
        if info.get("source") == source:
            return str(info.text)
    return None


def _message_type(element: etree._Element, module: str) -> MessageType:
    parts = [child for child in element if child.tag != f"{XS}annotation"]
    if len(parts) != 1 or parts[0].tag != f"{XS}sequence":
        raise ContractError(f"The XSD type {element.get('name')} is not a plain sequence of elements.")
    elements = [child for child in parts[0] if child.tag != f"{XS}annotation"]
    for child in elements:
        if child.tag != f"{XS}element" or not set(child.keys()) <= {"name", "type", "minOccurs", "maxOccurs"}:
            raise ContractError(f"The XSD type {element.get('name')} holds more than plain elements.")
    repeated = [child for child in elements if child.get("maxOccurs", "1") != "1"]
    if repeated and len(elements) != 1:
        raise ContractError(f"The XSD type {element.get('name')} mixes a repeated element with others.")
    chinese, english = _texts(element)
    return MessageType(
        element.get("name"), tuple(_field(child) for child in elements), bool(repeated), module, chinese, english
    )


def _field(element: etree._Element) -> Field:
    limit = _appinfo(element, MAX_LENGTH)
    chinese, english = _texts(element)
    occurs = element.get("maxOccurs", "1")
    if not occurs.isdigit():
        raise ContractError(f"The list of {element.get('name')} has no upper limit.")
    return Field(
        name=element.get("name"),
        type_name=element.get("type").rpartition(":")[2],
        optional=element.get("minOccurs") == "0",
        max_length=int(limit) if limit else None,
        chinese=chinese.partition("：")[0],
        english=english,
        max_occurs=int(occurs),
    )


def _value_type(element: etree._Element, module: str) -> ValueType:
    restriction = element.find(f"{XS}restriction")
    values, facets = [], []
    for child in restriction:
        if child.tag == f"{XS}enumeration":
            chinese, english = _texts(child)
            values.append((child.get("value"), _appinfo(child, NAME) or child.get("value"), chinese, english))
        else:
            facets.append((etree.QName(child).localname, child.get("value")))
    chinese, english = _texts(element)
    primitive = restriction.get("base").rpartition(":")[2]
    return ValueType(element.get("name"), primitive, tuple(values), tuple(facets), module, chinese, english)
