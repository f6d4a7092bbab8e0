"""What the journal keeps of a message: as it was received, except for the password in its header."""

from __future__ import annotations

from lxml import etree

from gateway.soap.envelope import Envelope

BLOTTED_OUT = "***"


def without_passwords(envelope: Envelope) -> bytes:
    """The body as received, byte for byte, if no header block holds a password; else written anew without it.

    Has to be called before the message is changed in any other way.
    """
    passwords = [found for block in envelope.headers for found in block.iter("{*}Password")]
    if not passwords:
        return envelope.raw
    for password in passwords:
        for child in list(password):
            password.remove(child)
        password.text = BLOTTED_OUT
    return bytes(etree.tostring(envelope.wrapper.getroottree(), encoding="UTF-8", xml_declaration=True))
