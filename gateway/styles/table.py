"""All string styles by the words that settings choose them with: a new style is one class and one line here."""

from __future__ import annotations

from gateway.styles.call_interface import CallInterface
from gateway.styles.esb_entry import EsbEntry
from gateway.styles.plain import Call, HipMessageServer, Hl7String, Single, TechService
from gateway.styles.style import Style

STYLES: dict[str, Style] = {
    style.word: style
    for style in (CallInterface(), HipMessageServer(), TechService(), Call(), Single(), EsbEntry(), Hl7String())
}
