"""Messages in the words of vendors that only call our fields otherwise: each one's list stands in its facade, once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from lxml import etree

from gateway.simulators.vendors.typed import EXAMPLES

Screen = Mapping[str, Mapping[str, str]]
"""Field -> our code -> the vendor's word for it."""
EVENTS = {"BOOK": "预约", "REGISTER": "登记", "CANCEL_REG": "取消登记", "EXAM_DONE": "检查完成", "REJECT": "退单"}


@cache
def words(facade: str) -> dict[str, str]:
    """What our contract calls a field -> what the vendor does."""
    listed = etree.parse(EXAMPLES.parent / "facades" / facade / "words.xsl")
    return {word.text or "": word.get("theirs", "") for word in listed.iter("word")}


def in_words(facade: str, told: str, screen: Screen) -> str:
    """What stands in a <Request>, without what only a TradeCode would need."""
    theirs, inner = words(facade), re.sub(r"</?Request>|<TradeCode>[^<]*</TradeCode>", "", told)
    shown = re.sub(r"(\w+)>([^<]*)(?=</)", lambda one: f"{one[1]}>{screen.get(one[1], {}).get(one[2], one[2])}", inner)
    return re.sub(r"(?<=[</])(\w+)(?=>)", lambda one: theirs[one[1]], shown)
