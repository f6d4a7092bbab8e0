"""Puts right messages, port types, bindings and services, and leaves out what is not SOAP over HTTP."""

from __future__ import annotations

import ipaddress
from collections import Counter
from urllib.parse import urlsplit

from lxml import etree

from gateway.partners.wsdl.components import components
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.fetching import is_url, shown
from gateway.partners.wsdl.names import SENT_AS, SOAP11, SOAP12, WSDL, XSD, full, line_of, local, namespace_of
from gateway.partners.wsdl.reading import Part

TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
TRANSPORTS = (TRANSPORT, "http://www.w3.org/2003/05/soap/bindings/HTTP/")
SOAPS = (SOAP11, SOAP12)


def complete(parts: list[Part]) -> None:
    """What must be there before names are looked up."""
    for part in parts:
        if part.is_wsdl:
            _name_all(part)
            _drop_repeated(part)
            _complete_messages(part)
            _connect_all(part)
            _complete_operations(part)
    first = parts[0]
    if not first.is_wsdl:
        raise WsdlError(
            f"{first.location} is a schema, no WSDL: give the WSDL that imports it (its root element is `definitions`)."
        )
    for part in parts[1:]:
        for service in list(part.root.iterchildren(WSDL + "service")) if part.is_wsdl else ():
            first.root.append(service)
            first.repairs.append(f"took the service {service.get('name')} from {part.name}")


def mend(parts: list[Part], source: str) -> None:
    """Everything about bindings and ports, after all names lead somewhere. Raises WsdlError if no port is left."""
    wsdls = [part for part in parts if part.is_wsdl]
    _forget_addressing(wsdls)
    if not any(True for part in wsdls for _ in part.root.iterchildren(WSDL + "binding")):
        for part in wsdls:
            _make_bindings(part)
    for part in wsdls:
        _keep_soap_bindings(part)
    for part in wsdls:
        _mend_headers(part, parts)
    _separate_overloads(wsdls)
    for part in wsdls:
        _agree_with_port_types(part, parts)
        for binding in part.root.iterchildren(WSDL + "binding"):
            _complete_binding(part, binding)
            _forget_unknown_parts(part, binding, parts)
    _mend_services(parts, source)


# --- Messages and port types ------------------------------------------------------------------------------------------


def _name_all(part: Part) -> None:
    """What a tool cannot refer to without a name gets one."""
    for tag in ("message", "portType", "binding"):
        for number, node in enumerate(part.root.iterchildren(WSDL + tag), 1):
            if not node.get("name"):
                node.set("name", f"{tag}{number}")
                part.repairs.append(f"called a {tag} without name {tag}{number}, line {line_of(node)}")


def _connect_all(part: Part) -> None:
    """A binding that names no port type, or a port that names no binding, means the only one there is."""
    for path, attribute, kind in (("binding", "type", "portType"), (f"service/{WSDL}port", "binding", "binding")):
        known = [node.get("name", "") for node in part.root.iterchildren(WSDL + kind)]
        for node in list(part.root.iterfind(WSDL + path)):
            if node.get(attribute) is not None:
                continue
            if len(known) == 1:
                node.set(attribute, full(part.namespace, known[0]))
                part.repairs.append(f"took {node.get('name')}, which names no {kind}, as one of {known[0]}")
            else:
                node.getparent().remove(node)
                part.repairs.append(f"left out {node.get('name')}, which names no {kind}, line {line_of(node)}")


def _drop_repeated(part: Part) -> None:
    """A message that stands twice: the same is dropped, another one too, with a word about it."""
    for tag in ("message", "portType", "binding"):
        seen: dict[str, etree._Element] = {}
        for node in list(part.root.iterchildren(WSDL + tag)):
            name = node.get("name", "")
            before = seen.setdefault(name, node)
            if before is not node:
                same = etree.tostring(before, with_tail=False) == etree.tostring(node, with_tail=False)
                part.repairs.append(
                    f"dropped the second {tag} {name}, line {line_of(node)}"
                    + ("" if same else ", which differs from the first")
                )
                part.root.remove(node)


def _complete_messages(part: Part) -> None:
    for message in part.root.iterchildren(WSDL + "message"):
        seen = set()
        for number, node in enumerate(list(message.iterchildren(WSDL + "part")), 1):
            if not node.get("name"):
                node.set("name", f"part{number}")
                part.repairs.append(f"named a part of message {message.get('name')} part{number}; it had no name")
            if node.get("name") in seen:
                message.remove(node)
                part.repairs.append(f"dropped a second part {node.get('name')} of message {message.get('name')}")
                continue
            seen.add(node.get("name"))
            if node.get("element") is not None and node.get("type") is not None:
                del node.attrib["type"]
                part.repairs.append(
                    f"took part {node.get('name')} of {message.get('name')} by its element, not its type"
                )
            elif node.get("element") is None and node.get("type") is None:
                node.set("type", full(XSD, "string"))
                part.repairs.append(
                    f"took part {node.get('name')} of {message.get('name')} as a string; it had no type"
                )


def _complete_operations(part: Part) -> None:
    for port_type in part.root.iterchildren(WSDL + "portType"):
        for operation in list(port_type.iterchildren(WSDL + "operation")):
            if not operation.get("name"):
                port_type.remove(operation)
                part.repairs.append(f"dropped an operation without name, line {line_of(operation)}")
                continue
            if operation.find(WSDL + "input") is None:
                operation.insert(0, etree.Element(WSDL + "input"))
            for node in list(operation):
                if not isinstance(node.tag, str) or local(node.tag) not in ("input", "output", "fault"):
                    continue
                if node.get("message") is None:
                    _without_message(part, operation, node)


def _without_message(part: Part, operation: etree._Element, node: etree._Element) -> None:
    if local(node.tag) != "input":
        operation.remove(node)
        part.repairs.append(f"dropped the {local(node.tag)} of {operation.get('name')}, which names no message")
        return
    name = f"{operation.get('name')}Nothing"
    message = etree.Element(WSDL + "message", name=name)
    part.root.insert(part.root.index(operation.getparent()), message)
    node.set("message", full(part.namespace, name))
    part.repairs.append(f"gave {operation.get('name')} an empty message; its input names none")


# --- Bindings ---------------------------------------------------------------------------------------------------------


def _soap_of(node: etree._Element, name: str) -> etree._Element | None:
    """Its child soap:binding, soap:operation and so on, of either version."""
    return next((child for soap in SOAPS for child in node.iterchildren(f"{{{soap}}}{name}")), None)


def soap_version(binding: etree._Element) -> str:
    """The namespace of the SOAP version a binding is for."""
    soap = _soap_of(binding, "binding")
    return SOAP11 if soap is None else namespace_of(soap.tag) or SOAP11


def _make_bindings(part: Part) -> None:
    """A WSDL with port types alone is taken as document/literal, SOAP 1.1."""
    for port_type in list(part.root.iterchildren(WSDL + "portType")):
        name = f"{port_type.get('name')}Soap"
        binding = etree.SubElement(part.root, WSDL + "binding", name=name)
        binding.set("type", full(part.namespace, port_type.get("name", "")))
        etree.SubElement(binding, f"{{{SOAP11}}}binding", transport=TRANSPORT, style="document")
        for operation in port_type.iterchildren(WSDL + "operation"):
            etree.SubElement(binding, WSDL + "operation", name=operation.get("name", ""))
        part.repairs.append(f"made a SOAP 1.1 binding for {port_type.get('name')}; the WSDL has none")


def _keep_soap_bindings(part: Part) -> None:
    for binding in list(part.root.iterchildren(WSDL + "binding")):
        soap = _soap_of(binding, "binding")
        if soap is None:
            inside = next((node for node in binding.iter("*") if namespace_of(node.tag) in SOAPS), None)
            if inside is None:
                part.root.remove(binding)
                part.repairs.append(f"left out the binding {binding.get('name')}, which is not SOAP")
                continue
            soap = etree.Element(f"{{{namespace_of(inside.tag)}}}binding", transport=TRANSPORT, style="document")
            binding.insert(0, soap)
            part.repairs.append(f"added the missing soap:binding of {binding.get('name')}")
        transport = (soap.get("transport") or "").strip()
        if transport in TRANSPORTS:
            continue
        if not transport or "soap/http" in transport.lower() or "bindings/http" in transport.lower():
            soap.set("transport", TRANSPORT)
            part.repairs.append(f'took the transport "{transport}" of {binding.get("name")} as HTTP')
        else:
            part.root.remove(binding)
            part.repairs.append(f"left out the binding {binding.get('name')}, whose transport {transport} is not HTTP")


def _mend_headers(part: Part, parts: list[Part]) -> None:
    """Headers name a message and a part that exist, and how they are written."""
    found = components(parts).defined["message"]
    for soap in SOAPS:
        for header in list(part.root.iter(f"{{{soap}}}header", f"{{{soap}}}headerfault")):
            message = found.get(header.get("message", ""))
            names = [node.get("name") for node in message.iterchildren(WSDL + "part")] if message is not None else []
            if header.get("part") not in names and len(names) == 1:
                part.repairs.append(f"took the header {header.get('part')} as part {names[0]} of its message")
                header.set("part", names[0])
            elif header.get("part") not in names:
                part.repairs.append(f"left out a header, line {line_of(header)}, whose message or part is not defined")
                header.getparent().remove(header)
                continue
            if header.get("use") is None:
                header.set("use", "literal")
                part.repairs.append(
                    f"took the header {header.get('part')} as literal; it does not say how it is written"
                )


def _agree_with_port_types(part: Part, parts: list[Part]) -> None:
    """Operations stand in the binding and in its port type, or in neither."""
    port_types = components(parts).defined["portType"]
    for binding in part.root.iterchildren(WSDL + "binding"):
        port_type = port_types.get(binding.get("type", ""))
        if port_type is None:
            continue
        known = [node.get("name") for node in port_type.iterchildren(WSDL + "operation")]
        bound = {node.get("name"): node for node in binding.iterchildren(WSDL + "operation")}
        for name, node in bound.items():
            same = next((other for other in known if other and name and other.lower() == name.lower()), None)
            if name not in known and same and same not in bound:
                node.set("name", same)
                part.repairs.append(f"took the operation {name} of the binding as {same}, as its port type writes it")
            elif name not in known:
                binding.remove(node)
                part.repairs.append(f"left out {name} of {binding.get('name')}, which its port type does not know")
        now = {node.get("name") for node in binding.iterchildren(WSDL + "operation")}
        absent = [name for name in dict.fromkeys(known) if name not in now]
        if absent and not now:
            for name in absent:
                etree.SubElement(binding, WSDL + "operation", name=name or "")
            part.repairs.append(
                f"took all operations of the port type as bound by {binding.get('name')}, which names none"
            )
        elif absent:
            part.repairs.append(f"{binding.get('name')} cannot call {', '.join(map(str, absent))}: not bound")


def _separate_overloads(parts: list[Part]) -> None:
    """Of operations with one name the first keeps it, others are numbered, in a port type and in its bindings alike."""
    forms: dict[tuple[str | None, str, str], str] = {}
    for part in parts:
        for port_type in part.root.iterchildren(WSDL + "portType"):
            for node, old, new in _numbered(port_type):
                forms.setdefault((full(part.namespace, port_type.get("name", "")), old, _input_of(node)), new)
                node.set("name", new)
                if old != new:
                    part.repairs.append(f"called another form of {old}, line {line_of(node)}, {new}")
    for part in parts:
        for binding in part.root.iterchildren(WSDL + "binding"):
            taken: set[str] = set()
            for node, old, new in _numbered(binding):
                form = forms.get((binding.get("type"), old, _input_of(node)), new)
                name = new if form in taken else form
                taken.add(name)
                node.set("name", name)
                if name != old:
                    node.set(SENT_AS, old)


def _numbered(owner: etree._Element) -> list[tuple[etree._Element, str, str]]:
    """Its operations, each with its name and the one it is known by."""
    seen: Counter[str] = Counter()
    found = []
    for node in owner.iterchildren(WSDL + "operation"):
        name = node.get("name", "")
        seen[name] += 1
        found.append((node, name, name if seen[name] == 1 else f"{name}{seen[name]}"))
    return found


def _input_of(operation: etree._Element) -> str:
    """What tells overloaded operations apart, by the standard."""
    node = operation.find(WSDL + "input")
    return "" if node is None else node.get("name", "")


def _complete_binding(part: Part, binding: etree._Element) -> None:
    soap = soap_version(binding)
    for node in binding.iter("*"):
        for attribute in {"style", "use"} & set(node.attrib):
            node.set(attribute, node.get(attribute, "").lower())
    silent = []
    for operation in binding.iterchildren(WSDL + "operation"):
        for node in list(operation.iter("*")):
            other = namespace_of(node.tag)
            if other in SOAPS and other != soap:
                node.tag = full(soap, local(node.tag))
                part.repairs.append(
                    f"took {local(node.tag)} of {operation.get('name')} as of the SOAP version of its binding"
                )
        for described in list(operation.iter(f"{{{soap}}}operation")):
            if described.getparent() is not operation:
                operation.insert(0, described)
        own = _soap_of(operation, "operation")
        if own is None:
            own = etree.Element(f"{{{soap}}}operation")
            operation.insert(0, own)
        if not own.get("soapAction"):
            own.set("soapAction", "")
            silent.append(operation.get("name", ""))
        _complete_bodies(part, operation, soap)
    if silent and binding.find(f"{{{SOAP11}}}binding") is not None:
        part.repairs.append(f"calls of {binding.get('name')} have an empty SOAPAction, as it says none")


def _complete_bodies(part: Part, operation: etree._Element, soap: str) -> None:
    """An input with a body, also where the body is wrapped as one of several MIME parts."""
    inputs = list(operation.iterchildren(WSDL + "input"))
    if not inputs:
        inputs = [etree.SubElement(operation, WSDL + "input")]
        part.repairs.append(f"added the missing input of {operation.get('name')} to its binding")
    for node in (*inputs, *operation.iterchildren(WSDL + "output")):
        body = node.find(f"{{{soap}}}body")
        if body is None:
            body = next(node.iter(f"{{{soap}}}body"), None)
            if body is not None:
                part.repairs.append(f"{operation.get('name')} may carry attachments, which the gateway does not send")
                node.insert(0, body)
            else:
                body = etree.SubElement(node, f"{{{soap}}}body", use="literal")
        names = (body.get("parts") or "").split()
        if len(names) == 1:
            body.set("part", names[0])  # which zeep reads in place of `parts`


def _forget_unknown_parts(part: Part, binding: etree._Element, parts: list[Part]) -> None:
    """A body that is said to be a part its message does not have is the whole message."""
    known = {node.get("name") for one in parts for node in one.root.iterfind(f"{WSDL}message/{WSDL}part")}
    for body in binding.iter(f"{{{soap_version(binding)}}}body"):
        if body.get("part") is not None and body.get("part") not in known:
            part.repairs.append(f"took a body as its whole message, which has no part {body.attrib.pop('part')}")


def _forget_addressing(parts: list[Part]) -> None:
    """Axis2 and JAX-WS name WS-Addressing actions everywhere; they are sent only where the WSDL asks for them."""
    names = {local(node.tag) for part in parts for node in part.root.iter("*")}
    if names & {"UsingAddressing", "Addressing"}:
        return
    for part in parts:
        for node in part.root.iterfind(f"{WSDL}portType/{WSDL}operation/*"):
            for attribute in [name for name in node.attrib if "/addressing/" in name]:
                del node.attrib[attribute]


# --- Services ---------------------------------------------------------------------------------------------------------


def _mend_services(parts: list[Part], source: str) -> None:
    first = parts[0]
    bindings = components(parts).defined["binding"]
    services = list(first.root.iterchildren(WSDL + "service"))
    for service in services:
        if not service.get("name"):
            service.set("name", "Service")
            first.repairs.append("called a service without name Service")
        for port in list(service.iterchildren(WSDL + "port")):
            if port.get("binding") not in bindings:
                service.remove(port)
        if service.find(WSDL + "port") is None:
            first.root.remove(service)
    if first.root.find(f"{WSDL}service/{WSDL}port") is None:
        _make_service(first, bindings)
    ports = [
        port for service in first.root.iterchildren(WSDL + "service") for port in service.iterchildren(WSDL + "port")
    ]
    if not ports:
        lacks = "port type" if first.root.find(WSDL + "portType") is None else "SOAP binding"
        raise WsdlError(
            f"{first.location} describes no operation that is called by SOAP over HTTP: it has no {lacks}. Ask the "
            "partner for the WSDL of its SOAP service; some servers have another address for that."
        )
    for port in ports:
        soap = soap_version(bindings[port.get("binding")])
        _mend_address(first, port, soap, source)


def _make_service(part: Part, bindings: dict[str, etree._Element]) -> None:
    if not bindings:
        return
    service = etree.SubElement(part.root, WSDL + "service", name=f"{local(next(iter(bindings)))}Service")
    for name in bindings:
        etree.SubElement(service, WSDL + "port", name=local(name), binding=name)
    part.repairs.append("made a service; the WSDL has none with a SOAP port")


def _mend_address(part: Part, port: etree._Element, soap: str, source: str) -> None:
    name = port.get("name") or local(port.get("binding", ""))
    port.set("name", name)
    address = port.find(f"{{{soap}}}address")
    if address is None:
        address = next((node for node in port.iterchildren("*") if local(node.tag) == "address"), None)
        if address is None:
            address = etree.SubElement(port, f"{{{soap}}}address")
        else:
            address.tag = f"{{{soap}}}address"
            part.repairs.append(f"took the address of port {name} as that of its SOAP version")
    location = (address.get("location") or "").strip()
    better, why = better_address(location, source)
    address.set("location", better)
    if why:
        part.repairs.append(f"port {name}: {why}")


def better_address(location: str, source: str) -> tuple[str, str]:
    """The address to call, and what is wrong with the one the WSDL gives."""
    asked = urlsplit(source) if is_url(source) else None
    plain = shown(source).partition("?")[0] if asked else ""
    if not is_url(location) or not _can_be_parsed(location):
        said = f"its address {location!r} is none" if location else "it has no address"
        return plain, f"{said}; {f'took {plain}, where the WSDL is' if plain else 'write url in partner.toml'}"
    host = urlsplit(location).hostname or ""
    if asked and asked.hostname and host != asked.hostname and _is_elsewhere(host):
        there = urlsplit(plain)
        moved = urlsplit(location)._replace(scheme=there.scheme, netloc=there.netloc).geturl()
        return moved, f"its address {shown(location)} cannot be reached from here; took {moved}, where the WSDL was had"
    if _is_elsewhere(host):
        return (
            location,
            f"its address {shown(location)} may hold only inside the partner's own computer room; check url",
        )
    return location, ""


def _can_be_parsed(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as http://[bad or http://his:port/
        return False


def _is_elsewhere(host: str) -> bool:
    """Whether a host means something only where the WSDL was made."""
    if host.lower() in ("localhost", "0.0.0.0") or "." not in host.strip("[]"):  # noqa: S104 - compared only
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return False
