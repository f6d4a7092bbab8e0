"""The files of a new partner: a commented partner.toml, and stylesheets that compile and say what is left to write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from gateway.contract import Contract
from gateway.partner_config import Partner
from gateway.partners.wsdl.describing import Field, Guess, Operation, Port
from gateway.partners.wsdl.fetching import is_url
from gateway.partners.wsdl.matching import Fields, OurField, Proposal, our_fields

HEAD = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
"""
HL7 = {
    "SubmitRequisition": "requisition-to-hl7",
    "ReportStatus": "status-to-hl7",
    "SubmitReport": "report-to-hl7",
    "PushCriticalValue": "critical-to-hl7",
    "ChargeItem": "charge-to-hl7",
    "RefundItem": "refund-to-hl7",
}
"""Ours -> the stylesheet that ships with the gateway and makes HL7 of it."""
CODES = ("resultcode", "returncode", "retcode", "errcode", "code", "success", "status", "flag", "ret", "state")
TEXTS = ("resulttext", "resultmsg", "returnmsg", "errmsg", "errormessage", "message", "msg", "desc", "info", "error")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found out about a new partner, and what was decided."""

    name: str
    source: str
    wsdl: str
    """The copy, from the partner's folder."""
    port: Port
    dialect: str
    guess: Guess
    proposals: tuple[Proposal, ...]
    day: date


def files(choice: Choice, contract: Contract) -> dict[str, str]:
    """Name -> content of every file to be written."""
    made = {"partner.toml": _settings(choice, contract)}
    if choice.dialect == "canonical":
        return made
    for proposal in choice.proposals:
        made[f"{proposal.ours}.request.xsl"] = _request(choice, proposal, contract)
        made[f"{proposal.ours}.response.xsl"] = _response(choice, proposal, contract)
    return made


# --- partner.toml -----------------------------------------------------------------------------------------------------


def _settings(choice: Choice, contract: Contract) -> str:
    port, is_ours = choice.port, choice.dialect == "canonical"
    lines = [
        f"# How to reach {choice.name}; docs/configuration.md explains each key, docs/partners.md the whole.",
        f"# Written from {choice.source} on {choice.day}. After a change: `gateway partner check {choice.name}`.",
        "",
        "# Where it is called. A password in this address belongs into username and password_file.",
    ]
    if not is_url(port.address):
        lines.append("# The WSDL gives no address: write the right one here.")
    address = port.address if is_url(port.address) else f"http://{choice.name.lower()}.example.org/"
    lines += [
        f"url = {_quoted(address)}",
        "",
        f"# How it is spoken to. Guessed, as {_comment(choice.guess.why)}"
        + (f"; chosen by hand instead of {choice.guess.dialect}." if choice.guess.dialect != choice.dialect else "."),
        f"dialect = {_quoted(choice.dialect)}",
        f"soap_version = {_quoted(port.soap_version)}",
    ]
    if not is_ours:
        lines += [
            "",
            "# The copy of its WSDL in this folder, and which service and port of it.",
            f"wsdl = {_quoted(choice.wsdl)}",
            f"service = {_quoted(port.service)}",
            f"port = {_quoted(port.name)}",
            "",
            *_payload_lines(choice),
        ]
    lines += [*_USUAL.format(name=choice.name, our_code=Partner.model_fields["our_code"].default).splitlines()]
    for proposal in () if is_ours else choice.proposals:
        lines += ["", *_operation_lines(choice, proposal, contract)]
    return "\n".join(lines) + "\n"


_USUAL = """
# The client name under which it calls us (`gateway client add`), if that is not {name}.
#client = "{name}"
# SenderCode of the messages it gets from us.
#our_code = "{our_code}"

# Its user and password, the password in a file beside this one; how they travel: docs/configuration.md, [auth].
#username = "gateway"
#password_file = "password"

# Seconds to connect, and for a whole call; calls at once, and per second.
#connect_seconds = 3.0
#total_seconds = 20.0
#concurrency = 4
#rate_per_second = 100.0

# Whether it carries out only once what it is sent twice under one number.
#repeats_are_safe = false"""


def _payload_lines(choice: Choice) -> list[str]:
    if choice.dialect == "typed":
        return ["# The charset of the envelopes: utf-8, gb18030, gbk, gb2312.", '#charset = "utf-8"']
    payload = "hl7" if choice.dialect == "hl7-string" else "xml"
    return [
        "# What its strings hold (xml, hl7, json, text), in which charset, and whether with an XML declaration.",
        f"payload = {_quoted(payload)}",
        '#charset = "utf-8"',
        "#declaration = false",
        "# What its parameters are called, by role, where they are not found by name or position.",
        '#parameters = {payload = "XMLParameter"}',
    ]


def _operation_lines(choice: Choice, proposal: Proposal, contract: Contract) -> list[str]:
    chinese = next(one.chinese for one in contract.operations if one.name == proposal.ours)
    lines = [f"# {proposal.ours} ({chinese})", f"[operations.{proposal.ours}]"]
    if proposal.theirs is not None:
        lines += [
            "# Found by its name; look whether it is the right one.",
            f"operation = {_quoted(proposal.theirs.name)}",
        ]
    elif choice.guess.operation and choice.guess.dialect == choice.dialect:
        lines.append(f"operation = {_quoted(choice.guess.operation)}")
    if proposal.theirs is None:
        lines += [
            "# What the partner calls it inside (serverName, action, FuncCode, Fid): ask for its list of functions.",
            f"function = {_quoted(proposal.ours)}",
        ]
    lines += [
        f"request = {_quoted(proposal.ours + '.request.xsl')}",
        f"response = {_quoted(proposal.ours + '.response.xsl')}",
        "# When an answer means yes: look into the partner's description. What is none of accepted, refused and retry",
        "# is unclear, and never a yes.",
        f"success = {{{_success(choice, proposal)}}}",
    ]
    return lines


def _success(choice: Choice, proposal: Proposal) -> str:
    if choice.dialect == "hl7-string":
        return 'xpath = "string(//MSA.1)", accepted = ["AA", "CA"], refused = ["*"], message = "string(//MSA.3)"'
    if choice.dialect == "tech-service":
        return 'at = "code", accepted = ["0"], refused = ["*"]'
    if choice.dialect == "esb-entry":
        return 'at = "code", accepted = ["true", "1"], refused = ["*"]'
    if choice.dialect != "typed" or proposal.theirs is None:
        return (
            'xpath = "string(//*[self::ResultCode or self::Code or self::code][1])", accepted = ["0"], refused = ["*"]'
            ', message = "string(//*[self::ResultContent or self::Message or self::message or self::Text][1])"'
        )
    leaves = [field for result in proposal.theirs.results for _, field in result.walk() if not field.children]
    code, text = _called(leaves, CODES) or (leaves[0] if leaves else None), _called(leaves, TEXTS)
    if code is None:
        return 'at = "reply", xpath = "local-name(/*)", accepted = ["' + proposal.theirs.name + 'Response"]'
    accepted = {"boolean": '["true", "1"]'}.get(code.type, '["0"]')
    message = f', message = "string(//{text.name})"' if text is not None and text is not code else ""
    return f'xpath = "string(//{code.name})", accepted = {accepted}, refused = ["*"]{message}'


def _called(leaves: list[Field], words: tuple[str, ...]) -> Field | None:
    plain = {field.name.lower().replace("_", ""): field for field in reversed(leaves)}
    return next((plain[word] for word in words if word in plain), None)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# --- Stylesheets ------------------------------------------------------------------------------------------------------


def _request(choice: Choice, proposal: Proposal, contract: Contract) -> str:
    ours = our_fields(contract, f"{proposal.ours}Request")
    theirs = proposal.theirs.name if proposal.theirs is not None else f"what {choice.name} wants"
    intro = [
        f"Our {proposal.ours} as {theirs}. Our fields, below /Request (docs/partners.md lists the functions g:…):",
        "",
    ]
    told = _told(intro + _listed(ours))
    if choice.dialect == "hl7-string" and proposal.ours in HL7:
        return f'{told}{HEAD}  <xsl:import href="gateway:hl7/{HL7[proposal.ours]}.xsl"/>\n</xsl:stylesheet>\n'
    if choice.dialect == "typed" and proposal.theirs is not None:
        return _typed_request(told, proposal.theirs, Fields(ours))
    return (
        f"{told}{HEAD}"
        "  <!-- To begin with, all our fields as they are: put the partner's elements in their place. -->\n"
        '  <xsl:template match="/Request">\n'
        "    <Request>\n"
        '      <xsl:copy-of select="*"/>\n'
        "    </Request>\n"
        "  </xsl:template>\n</xsl:stylesheet>\n"
    )


def _typed_request(told: str, operation: Operation, fields: Fields) -> str:
    prefixes = _prefixes(operation)
    declared = "".join(f'\n    xmlns:{prefix}="{_attribute(space)}"' for space, prefix in prefixes.items())
    head = HEAD.replace('\n    xmlns:g="', f'{declared}\n    xmlns:g="', 1)
    space, _, name = (operation.element or operation.name).removeprefix("{").rpartition("}")
    root = f"{prefixes[space]}:{name}" if space else name
    body: list[str] = []
    for parameter in operation.parameters:
        body += _element(parameter, prefixes, fields, 6, "")
    inside = "\n".join(body)
    return (
        f'{told}{head}  <xsl:template match="/Request">\n    <{root}>\n{inside}\n    </{root}>\n'
        "  </xsl:template>\n</xsl:stylesheet>\n"
    )


def _prefixes(operation: Operation) -> dict[str, str]:
    """A prefix for each namespace: p, p2 ..."""
    spaces = [operation.element.removeprefix("{").rpartition("}")[0]]
    spaces += [field.namespace or "" for one in operation.parameters for _, field in one.walk()]
    known = [space for space in dict.fromkeys(spaces) if space]
    return {space: "p" if number == 1 else f"p{number}" for number, space in enumerate(known, 1)}


def _element(field: Field, prefixes: dict[str, str], fields: Fields, indent: int, in_list: str) -> list[str]:
    """One element of the partner's: filled where a field of ours has its name, else left to be written."""
    gap = " " * indent
    name = f"{prefixes[field.namespace]}:{field.name}" if field.namespace else field.name
    kind = f"{field.type}{'' if field.required else ', may be left out'}{', may repeat' if field.repeats else ''}"
    if field.children:
        into = fields.list_for(field) if field.repeats and not in_list else ""
        inside = [
            line
            for child in field.children
            for line in _element(child, prefixes, fields, indent + (4 if into else 2), into or in_list)
        ]
        if not field.required and not any("<xsl:value-of" in line for line in inside):
            return [f"{gap}<!-- {_comment(name)}: {kind}: {_comment(_names(field))} -->"]
        element = [f"{gap}{'  ' if into else ''}<{name}>", *inside, f"{gap}{'  ' if into else ''}</{name}>"]
        return [f'{gap}<xsl:for-each select="{into}">', *element, f"{gap}</xsl:for-each>"] if into else element
    ours = None if field.name == "any" else fields.meant(field.name, in_list)
    if ours is None:
        if field.required and field.name != "any":
            return [f"{gap}<{name}><!-- {kind}: to be written --></{name}>"]
        return [f"{gap}<!-- {_comment(name)}: {kind} -->"]
    path = ours.path.removeprefix(f"{in_list}/") if in_list else ours.path
    value = f'<{name}><xsl:value-of select="{_value(field, ours, path)}"/></{name}>'
    if not field.required and ours.optional:
        return [f'{gap}<xsl:if test="{path}">{value}</xsl:if>']
    return [f"{gap}{value}"]


def _value(field: Field, ours: OurField, path: str) -> str:
    """Our times have a zone, which fits xsd:dateTime; in a string vendors want them without."""
    if field.is_string and ours.type == "dateTime":
        return f"g:date({path}, 'yyyy-MM-dd HH:mm:ss')"
    return path


def _names(field: Field) -> str:
    return ", ".join(child.name for child in field.children)


def _response(choice: Choice, proposal: Proposal, contract: Contract) -> str:
    fields = [one for one in our_fields(contract, f"{proposal.ours}ResponseType") if not one.path.startswith("Result/")]
    lines = ["The partner's yes as our answer. Result is made by the gateway; what the answer may hold beside it:", ""]
    lines += _listed(tuple(fields))
    if choice.dialect == "typed" and proposal.theirs is not None:
        lines += ["", "What the partner answers:", ""]
        lines += [
            f"{'  ' * depth}{field.name}: {field.type}"
            for result in proposal.theirs.results
            for depth, field in result.walk()
        ]
    template = '  <xsl:template match="/*">\n    <Response/>\n  </xsl:template>\n'
    return f"{_told(lines)}{HEAD}{template}</xsl:stylesheet>\n"


def _listed(fields: tuple[OurField, ...]) -> list[str]:
    width = min(max((len(field.path) for field in fields), default=0), 48)
    return [
        f"{field.path:<{width}}  {field.type}{', may be absent' if field.optional else ''}  {field.chinese}"
        for field in fields
    ]


def _told(lines: list[str]) -> str:
    inside = "\n".join(f"  {_comment(line)}".rstrip() for line in lines)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!--\n{inside}\n-->\n'


def _comment(text: str) -> str:
    return text.replace("--", "- -")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
