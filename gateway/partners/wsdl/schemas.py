"""Puts right what is wrong inside schemas: misplaced, doubled and impossible constructs that tools refuse."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable

from lxml import etree

from gateway.partners.wsdl.names import REFERENCES, WSDL, WSDL_ARRAY, XS, full, local
from gateway.partners.wsdl.reading import Part

ANNOTATION = XS + "annotation"
MODELS = (XS + "sequence", XS + "choice", XS + "all", XS + "group")
CONTENTS = (XS + "simpleContent", XS + "complexContent")
ATTRIBUTES = (XS + "attribute", XS + "attributeGroup", XS + "anyAttribute")
PARTICLES = (XS + "element", XS + "any", XS + "choice", XS + "sequence", XS + "group")
HEAD = (XS + "include", XS + "import", XS + "redefine", ANNOTATION)
NOT_OURS = (
    "assert",
    "assertion",
    "openContent",
    "defaultOpenContent",
    "alternative",
    "override",
    "notation",
    "key",
    "keyref",
    "unique",
)
"""Constructs of XML Schema 1.1, and others that say nothing about the form of a message."""

Count = Counter[str]


def mend(part: Part) -> None:
    """Repair the schemas of one file by themselves."""
    if part.is_wsdl:
        _gather_schemas(part)
    counted: Count = Counter()
    for schema in part.schemas():
        for step in _STEPS:
            step(schema, counted)
    part.repairs += [f"{text} ({count} times)" if count > 1 else text for text, count in counted.items()]


def mend_together(parts: list[Part]) -> None:
    """Repair what concerns several schemas: wrong namespaces of imports, redefinitions, things defined twice."""
    files = {part.name: part for part in parts}
    for part in parts:
        for schema in part.schemas():
            _agree_with_files(part, schema, files)
    for part in parts:
        for schema in part.schemas():
            for link in list(schema.iterchildren(XS + "redefine")):
                _redefine(part, schema, link, files)
    _forget_unlinked(parts)
    _drop_doubles(parts)
    _offer_substitutes(parts)


# --- Of one file ------------------------------------------------------------------------------------------------------


def _gather_schemas(part: Part) -> None:
    """Schemas, and imports of schemas, that do not stand where they belong: in `types`, and in a schema."""
    types = part.root.find(WSDL + "types")
    for stray in [
        *part.root.iterchildren(XS + "schema", XS + "import"),
        *part.root.iterfind(f"{WSDL}portType/{XS}schema"),
    ]:
        types = types if types is not None else _types(part)
        types.append(stray)
        part.repairs.append("moved a schema into types" if stray.tag == XS + "schema" else "moved an import into types")
    for types in part.root.findall(WSDL + "types"):
        loose = [child for child in types.iterchildren("*") if child.tag != XS + "schema" and child.tag.startswith(XS)]
        if loose:
            schema = etree.SubElement(types, XS + "schema")
            if part.namespace and any(child.tag not in HEAD for child in loose):
                schema.set("targetNamespace", part.namespace)
            schema.extend(loose)
            part.repairs.append("put what stood directly in types into a schema")


def _types(part: Part) -> etree._Element:
    types = etree.Element(WSDL + "types")
    part.root.insert(0, types)
    return types


def _remove_foreign(schema: etree._Element, counted: Count) -> None:
    """Elements of other namespaces, annotations in odd places, and constructs of XML Schema 1.1."""
    for element in list(schema.iter("*")):
        parent = element.getparent()
        if parent is None or element is schema or _is_inside(element, ANNOTATION):
            continue
        name = local(element.tag)
        if not element.tag.startswith(XS):
            counted[f"removed <{name}> from a schema, where it does not belong"] += 1
            _remove(element)
        elif name in NOT_OURS:
            counted[f"removed xsd:{name}, which says nothing about the form of a message"] += 1
            _remove(element)
        elif element.tag == ANNOTATION and (element.getprevious() is not None or parent.tag == XS + "schema"):
            _remove(element)


def _is_inside(element: etree._Element, tag: str) -> bool:
    return any(ancestor.tag == tag for ancestor in element.iterancestors())


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        element.tail = None
        parent.remove(element)


def _mend_counts(schema: etree._Element, counted: Count) -> None:
    for element in schema.iter(*PARTICLES, XS + "all"):
        for attribute in ("minOccurs", "maxOccurs"):
            value = element.get(attribute)
            if value is None or value.isdigit() or (attribute == "maxOccurs" and value == "unbounded"):
                continue
            counted[f'took {attribute}="{value}" as no limit'] += 1
            element.set(attribute, "0" if attribute == "minOccurs" else "unbounded")
        most = element.get("maxOccurs", "1")
        if most.isdigit() and int(element.get("minOccurs", "1")) > int(most) > 0:
            counted["took a minOccurs above maxOccurs as maxOccurs too"] += 1
            element.set("maxOccurs", element.get("minOccurs", "1"))


def _mend_names(schema: etree._Element, counted: Count) -> None:
    """Elements and attributes that have neither a name nor say which they are."""
    for element in list(schema.iter(XS + "element", XS + "attribute")):
        if element.get("ref") == XS + "schema":
            counted["took the schema inside a DataSet as any element of XML Schema"] += 1
            element.tag = XS + "any"
            del element.attrib["ref"]
            element.set("namespace", XS[1:-1])
            element.set("processContents", "lax")
        elif element.get("ref") is not None:
            if element.get("name") is not None:
                counted["took an element with both name and ref by its ref"] += 1
                del element.attrib["name"]
            element.attrib.pop("type", None)
        elif not element.get("name"):
            counted[f"removed an {local(element.tag)} without name"] += 1
            _remove(element)
    for element in list(
        schema.iterchildren(XS + "complexType", XS + "simpleType", XS + "group", XS + "attributeGroup")
    ):
        if not element.get("name"):
            counted[f"removed a {local(element.tag)} without name"] += 1
            _remove(element)
    for element in schema.iterchildren(XS + "element"):
        for attribute in ("minOccurs", "maxOccurs"):
            if element.attrib.pop(attribute, None) is not None:
                counted[f"dropped {attribute} of a global element"] += 1


def _mend_elements(schema: etree._Element, counted: Count) -> None:
    """An element that has a type both by name and inside keeps the one inside."""
    for element in schema.iter(XS + "element", XS + "attribute"):
        inside = [child for child in element if child.tag in (XS + "complexType", XS + "simpleType")]
        if inside and element.get("type") is not None:
            counted["dropped the type of an element that has another one inside"] += 1
            del element.attrib["type"]
        for extra in inside[1:]:
            counted["dropped a second type of an element"] += 1
            _remove(extra)


def _mend_derivations(schema: etree._Element, counted: Count) -> None:
    """A type that extends another one says so inside complexContent; a group cannot hold itself."""
    for owner in list(schema.iter(XS + "complexType")):
        for child in owner.findall(XS + "extension") + owner.findall(XS + "restriction"):
            counted[f"put an {local(child.tag)} that stood directly in a type into complexContent"] += 1
            content = etree.Element(XS + "complexContent")
            owner.replace(child, content)
            content.append(child)
    for tag in (XS + "group", XS + "attributeGroup"):
        groups = {group.get("name", ""): group for group in schema.iterchildren(tag)}
        for name, group in groups.items():
            for inner in group.findall(f".//{tag}"):
                if name in _reached(groups, local(inner.get("ref", ""))):
                    counted[f"removed a {local(tag)} from {name}, which it holds itself"] += 1
                    _remove(inner)


def _reached(groups: dict[str, etree._Element], name: str) -> set[str]:
    """The groups that are reached from one, itself too."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in groups and one not in reached:
            reached.add(one)
            waiting += [local(inner.get("ref", "")) for inner in groups[one].findall(f".//{groups[one].tag}")]
    return reached


def _mend_complex_types(schema: etree._Element, counted: Count) -> None:
    """One content model first, then attributes."""
    for owner in schema.iter(XS + "complexType", XS + "extension", XS + "restriction"):
        if owner.tag != XS + "complexType" and local(owner.getparent().tag) != "complexContent":
            continue
        loose = [child for child in owner if child.tag in (XS + "element", XS + "any")]
        if loose:
            counted["put elements that stood directly in a type into a sequence"] += 1
            sequence = etree.Element(XS + "sequence")
            owner.insert(owner.index(loose[0]), sequence)
            sequence.extend(loose)
        models = [child for child in owner if child.tag in MODELS]
        if len(models) > 1:
            counted["put the several contents of a type into one sequence"] += 1
            sequence = etree.Element(XS + "sequence")
            owner.insert(owner.index(models[0]), sequence)
            sequence.extend(models)
        order = [child for child in owner if child.tag in ATTRIBUTES]
        contents = [child for child in owner if child.tag in (*MODELS, *CONTENTS)]
        if order and contents and owner.index(order[0]) < owner.index(contents[-1]):
            counted["put the attributes of a type behind its elements"] += 1
            owner.extend(order)
    for group in schema.iterchildren(XS + "group"):
        inside = [child for child in group if child.tag != ANNOTATION]
        if len(inside) != 1 or inside[0].tag not in MODELS[:3]:
            counted["put the content of a group into a sequence"] += 1
            etree.SubElement(group, XS + "sequence").extend(inside)
    for group in schema.iter(XS + "group"):
        if group.getparent() is not schema and group.get("ref") is None:
            counted["took a group without ref as a sequence"] += 1
            group.tag = XS + "sequence"
    for content in list(schema.iter(*CONTENTS)):
        if not any(child.tag in (XS + "extension", XS + "restriction") for child in content):
            counted[f"removed an empty {local(content.tag)}"] += 1
            _remove(content)
        else:
            _split_content(content)


def _split_content(content: etree._Element) -> None:
    """A derived type without a base is one of anything."""
    for child in content.iterchildren(XS + "extension", XS + "restriction"):
        if child.get("base") is None:
            child.set("base", full("http://www.w3.org/2001/XMLSchema", "anyType"))


def _mend_alls(schema: etree._Element, counted: Count) -> None:
    """xsd:all may hold single elements only, and only as the whole content."""
    for element in list(schema.iter(XS + "all")):
        wrong = any(child.tag not in (XS + "element", ANNOTATION) for child in element)
        many = any(child.get("maxOccurs") not in (None, "0", "1") for child in element)
        if wrong or many or local(element.getparent().tag) in ("sequence", "choice", "all"):
            counted["took an xsd:all that holds more than single elements as a sequence"] += 1
            element.tag = XS + "sequence"
    for element in list(schema.iter(*MODELS)):
        for child in list(element):
            if child.tag in ATTRIBUTES or child.tag in (XS + "complexType", XS + "simpleType"):
                counted[f"moved an {local(child.tag)} out of a sequence"] += 1
                _move_up(child, element)


def _move_up(child: etree._Element, model: etree._Element) -> None:
    owner = next((one for one in model.iterancestors() if one.tag not in MODELS), None)
    if owner is not None and child.tag in ATTRIBUTES:
        owner.append(child)
    else:
        _remove(child)


def _mend_simple_types(schema: etree._Element, counted: Count) -> None:
    string = full("http://www.w3.org/2001/XMLSchema", "string")
    for simple in list(schema.iter(XS + "simpleType")):
        kinds = (XS + "restriction", XS + "list", XS + "union")
        contents = [child for child in simple if child.tag in kinds]
        for other in [child for child in simple if child.tag not in (*kinds, ANNOTATION)] + contents[1:]:
            counted[f"removed a {local(other.tag)} from a simpleType"] += 1
            _remove(other)
        if not contents:
            counted["took an empty simpleType as a string"] += 1
            etree.SubElement(simple, XS + "restriction", base=string)
            continue
        first = contents[0]
        has_type = first.find(XS + "simpleType") is not None
        if not has_type and first.tag == kinds[0] and first.get("base") is None:
            counted["took a simpleType without base as a string"] += 1
            first.set("base", string)
        elif not has_type and first.tag == kinds[1] and first.get("itemType") is None:
            first.set("itemType", string)
        if first.tag == kinds[0] and first.get("base") is not None:
            for inner in first.findall(XS + "simpleType"):
                _remove(inner)


def _order_head(schema: etree._Element, counted: Count) -> None:
    """Imports and includes stand before everything else."""
    links = list(schema.iterchildren(XS + "include", XS + "import", XS + "redefine"))
    others = [child for child in schema.iterchildren("*") if child.tag not in HEAD]
    if links and others and schema.index(links[-1]) > schema.index(others[0]):
        counted["moved the imports of a schema to its beginning"] += 1
        for position, link in enumerate(links):
            schema.insert(position, link)
    for link in list(schema.iter(XS + "import", XS + "include")):
        if link.getparent() is not schema:
            counted["moved an import out of a type"] += 1
            schema.insert(0, link)
    for child in list(schema.iterchildren("*")):
        if child.tag not in (
            *HEAD,
            XS + "element",
            XS + "complexType",
            XS + "simpleType",
            XS + "group",
            *ATTRIBUTES[:2],
        ):
            counted[f"removed <{local(child.tag)}> from the top of a schema"] += 1
            _remove(child)
    form = schema.get("elementFormDefault")
    if form is not None and form not in ("qualified", "unqualified"):
        counted[f'took elementFormDefault="{form}" as {"un" if form.lower().startswith("un") else ""}qualified'] += 1
        schema.set("elementFormDefault", "unqualified" if form.lower().startswith("un") else "qualified")


_STEPS: tuple[Callable[[etree._Element, Count], None], ...] = (
    _remove_foreign,
    _order_head,
    _mend_counts,
    _mend_names,
    _mend_elements,
    _mend_derivations,
    _mend_complex_types,
    _mend_alls,
    _mend_simple_types,
)


# --- Of several files -------------------------------------------------------------------------------------------------


def _agree_with_files(part: Part, schema: etree._Element, files: dict[str, Part]) -> None:
    """An import names the namespace its file really has; what has another namespace is imported, not included."""
    own = schema.get("targetNamespace") or None
    for link in list(schema.iterchildren(XS + "import", XS + "include")):
        file = files.get(link.get("schemaLocation", ""))
        if file is None or file.is_wsdl:
            if file is not None:
                _take_schemas(part, file)
                link.attrib.pop("schemaLocation")
            if link.tag == XS + "include":  # of nothing, or of a WSDL
                schema.remove(link)
            continue
        namespace = link.get("namespace")
        if link.tag == XS + "import" and file.namespace and namespace != file.namespace:
            part.repairs.append(f"imported {file.name} as {file.namespace} (the import says {namespace or 'nothing'})")
            link.set("namespace", file.namespace)
        elif link.tag == XS + "include" and file.namespace and file.namespace != own:
            part.repairs.append(f"imported {file.name}, which was included but has the namespace {file.namespace}")
            link.tag = XS + "import"
            link.set("namespace", file.namespace)


def _take_schemas(part: Part, wsdl: Part) -> None:
    """A WSDL that is imported as if it were a schema: its schemas are what is meant."""
    if wsdl is part or not part.is_wsdl:
        return
    types = part.root.find(WSDL + "types")
    for schema in wsdl.schemas():
        types.append(copy.deepcopy(schema))
    part.repairs.append(f"took the schemas of {wsdl.name}, which is imported as one")


def _redefine(part: Part, schema: etree._Element, link: etree._Element, files: dict[str, Part]) -> None:
    """Copy what is redefined into the schema; a redefined type extends its first form under another name."""
    file = files.get(link.get("schemaLocation", ""))
    schema.remove(link)
    if file is None or file.is_wsdl:
        schema.extend(child for child in link.iterchildren("*") if child.tag != ANNOTATION)
        return
    part.repairs.append(f"copied {file.name}, which it redefines, into the schema")
    redefined = {(child.tag, child.get("name")): child for child in link.iterchildren("*") if child.get("name")}
    own = schema.get("targetNamespace") or None
    for child in file.root.iterchildren("*"):
        kept = copy.deepcopy(child)
        if kept.tag in HEAD:
            if kept.tag != ANNOTATION:
                schema.insert(0, kept)
            continue
        if not file.namespace and own:
            _adopt(kept, own)
        if (kept.tag, kept.get("name")) in redefined:
            kept.set("name", f"{kept.get('name')}-redefined")
        schema.append(kept)
    for (_, name), child in redefined.items():
        for element in child.iter("*"):
            for attribute in ("base", "ref"):
                if local(element.get(attribute, "")) == name:
                    element.set(attribute, full(own, f"{name}-redefined"))
        schema.append(child)


def _adopt(element: etree._Element, namespace: str) -> None:
    """Names without namespace take that of the schema they come into."""
    for one in element.iter("*"):
        for attribute in (*REFERENCES.get(one.tag, ()), WSDL_ARRAY):
            value = one.get(attribute)
            if value and not value.startswith("{"):
                one.set(attribute, full(namespace, value))


def _offer_substitutes(parts: list[Part]) -> None:
    """Where an abstract element is wanted, those that may stand for it are a choice: zeep knows no substitution."""
    elements = {
        full(schema.get("targetNamespace"), child.get("name", "")): (part, child)
        for part in parts
        for schema in part.schemas()
        for child in schema.iterchildren(XS + "element")
    }
    members: dict[str, list[str]] = {}
    for name, (_, element) in elements.items():
        head = element.get("substitutionGroup")
        if head in elements and elements[head][1].get("abstract") == "true" and element.get("abstract") != "true":
            members.setdefault(head, []).append(name)
    for part in parts:
        for wanted in [one for one in part.root.iter(XS + "element") if one.get("ref") in members]:
            head, parent = wanted.get("ref", ""), wanted.getparent()
            if parent is None or parent.tag == XS + "all":
                continue
            counts = {key: value for key, value in wanted.attrib.items() if key in ("minOccurs", "maxOccurs")}
            choice = etree.Element(XS + "choice", counts)
            for member in members[head]:
                etree.SubElement(choice, XS + "element", ref=member)
            parent.replace(wanted, choice)
            part.repairs.append(f"took {local(head)}, which is abstract, as {', '.join(map(local, members[head]))}")


def _forget_unlinked(parts: list[Part]) -> None:
    """A file that was copied into another one is not needed any more."""
    linked = {node.get("schemaLocation") or node.get("location") for part in parts for node in part.root.iter(*_LINKS)}
    parts[1:] = [part for part in parts[1:] if part.name in linked]


_LINKS = (XS + "import", XS + "include", WSDL + "import")


def _drop_doubles(parts: list[Part]) -> None:
    """Of what is defined twice under one name, the form that says more is kept."""
    seen: dict[tuple[str, str, str], tuple[Part, etree._Element]] = {}
    for part in parts:
        for schema in part.schemas():
            namespace = schema.get("targetNamespace") or f"in {part.name}"
            for child in list(schema.iterchildren("*")):
                name, kind = child.get("name"), re.sub("complexType|simpleType", "type", local(child.tag))
                if not name:
                    continue
                key = (kind, namespace, name)
                if key not in seen:
                    seen[key] = (part, child)
                    continue
                before = seen[key]
                same = _says(before[1]) == _says(child)
                gone = (part, child) if len(_says(child)) <= len(_says(before[1])) else before
                if gone is before:
                    seen[key] = (part, child)
                how = "the same twice" if same else "twice, differently: the longer form counts"
                part.repairs.append(f"dropped one {kind} {name}, which is defined {how}")
                _remove(gone[1])


def _says(element: etree._Element) -> str:
    """What a definition says, without comments and documentation."""
    plain = copy.deepcopy(element)
    etree.strip_elements(plain, ANNOTATION, etree.Comment, with_tail=False)
    for one in plain.iter():
        one.text = one.tail = None
    return str(etree.tostring(plain, encoding="unicode"))
