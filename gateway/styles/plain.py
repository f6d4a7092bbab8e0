"""The styles in which every role has a parameter of its own."""

from __future__ import annotations

from gateway.styles.style import CODE, FUNCTION, PAYLOAD, Place, Style


class HipMessageServer(Style):
    """HIPMessageServer(action, message), as integration platforms after WS/T 846 have it."""

    word = "hip-message-server"
    operation = "HIPMessageServer"
    takes = (Place(FUNCTION, "action"), Place(PAYLOAD, "message"))
    gives = (Place(PAYLOAD, "HIPMessageServerResult"),)


class TechService(Style):
    """TechService(actionCode, xmlContent) -> returnCode, returnXml."""

    word = "tech-service"
    operation = "TechService"
    takes = (Place(FUNCTION, "actionCode"), Place(PAYLOAD, "xmlContent"))
    gives = (Place(CODE, "returnCode"), Place(PAYLOAD, "returnXml"))


class Call(Style):
    """Call(FuncCode, input)."""

    word = "call"
    operation = "Call"
    takes = (Place(FUNCTION, "FuncCode"), Place(PAYLOAD, "input"))
    gives = (Place(PAYLOAD, "CallResult"),)


class Single(Style):
    """One string in, one string out; the operation itself is the function."""

    word = "single"
    takes = (Place(PAYLOAD, "pInput"),)
    gives = (Place(PAYLOAD, "Result"),)


class Hl7String(Single):
    """The same with HL7 v2 in the strings."""

    word = "hl7-string"
    takes = (Place(PAYLOAD, "message"),)
