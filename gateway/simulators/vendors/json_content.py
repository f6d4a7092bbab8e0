"""The JSON objects that vendors' systems take and answer."""

from __future__ import annotations

import json
from typing import Any

from gateway.simulators.vendors.vendor import Question, Refused
from gateway.styles.style import Said

Json = dict[str, Any]


def content_of(question: Question, code: str) -> Json:
    """The object of a message. Raises Refused, with this code."""
    try:
        content = json.loads(question.payload)
    except ValueError:
        raise Refused(code, "入参不是JSON") from None
    if not isinstance(content, dict):
        raise Refused(code, "入参不是JSON对象")
    return content


def needed(content: Json, name: str, code: str) -> str:
    """What the system cannot do without. Raises Refused, with this code."""
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(code, f"缺少{name}")
    return value


def said(code: str, /, **values: Any) -> Said:
    """An answer of these members."""
    return Said(json.dumps(values, ensure_ascii=False), code)
