"""What a field of the contract may hold, said in a few words for the partner whose message was refused."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.contract import Contract, Field

NOT_A_VALUE = {
    "int": ("不是整数", "is no integer"),
    "decimal": ("不是数字（不能用千分位逗号或科学计数法）", "is no number (no thousands separator, no exponent)"),
    "date": ("不是有效日期", "is no valid date"),
    "dateTime": ("不是有效的日期时间", "is no valid date and time"),
    "boolean": ("不是布尔值", "is no boolean"),
    "base64Binary": ("不是 Base64", "is no base64"),
}
BROKEN_FACETS = {
    "SCHEMAV_CVC_ENUMERATION_VALID": ("的取值不在允许范围内", "has a value that is not allowed"),
    "SCHEMAV_CVC_PATTERN_VALID": ("的格式不对", "has the wrong form"),
    "SCHEMAV_CVC_MAXLENGTH_VALID": ("过长", "is too long"),
    "SCHEMAV_CVC_MINLENGTH_VALID": ("过短", "is too short"),
    "SCHEMAV_CVC_TOTALDIGITS_VALID": ("的位数过多", "has too many digits"),
    "SCHEMAV_CVC_FRACTIONDIGITS_VALID": ("的小数位数过多", "has too many digits after the point"),
    "SCHEMAV_CVC_MININCLUSIVE_VALID": ("小于允许的最小值", "is below the smallest allowed value"),
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": ("大于允许的最大值", "is above the largest allowed value"),
}
FORMS = {
    "date": "YYYY-MM-DD",
    "dateTime": "YYYY-MM-DDThh:mm:ss",
    "boolean": "true | false",
    "base64Binary": "base64",
}
WRONG_IDENTIFIER = ("只能用半角可见字符，不能有空格或中文", "may only hold visible ASCII characters, no spaces")
IDENTIFIER = "[!-~]+"
"""The pattern of identifiers in xsd/common.xsd."""


@dataclass(frozen=True, slots=True)
class Label:
    """The name of an element as a person reads it, with its Chinese name if the contract knows it."""

    name: str
    chinese: str = ""

    @property
    def zh(self) -> str:
        return f"{self.chinese}（{self.name}）" if self.chinese else f" {self.name} "

    @property
    def en(self) -> str:
        return f"{self.name} ({self.chinese})" if self.chinese else self.name


def form_of(contract: Contract, field: Field) -> str:
    """What values a field takes: "1..50 visible ASCII characters", "YYYY-MM-DD", "NEW 新增 | UPDATE 修改"."""
    value_type = contract.value_types.get(field.type_name)
    if value_type is not None and value_type.values:
        return " | ".join(f"{value} {chinese}" for value, _, chinese, _ in value_type.values)
    facets = dict(value_type.facets) if value_type is not None else {}
    primitive = contract.primitive_of(field.type_name)
    if primitive == "int":
        return f"integer {facets.get('minInclusive', '')}..{facets.get('maxInclusive', '')}"
    if primitive == "decimal":
        return _decimal(facets)
    if primitive in FORMS:
        return FORMS[primitive]
    if "pattern" in facets and facets["pattern"] != IDENTIFIER:
        return f"{facets['pattern']}, at most {facets['maxLength']}" if "maxLength" in facets else facets["pattern"]
    limit = facets.get("maxLength") or field.max_length or ""
    return f"1..{limit} {'visible ASCII ' if 'pattern' in facets else ''}characters"


def _decimal(facets: dict[str, str]) -> str:
    words = ["decimal", f">= {facets['minInclusive']}" if "minInclusive" in facets else ""]
    words.append(f"<= {facets['maxInclusive']}" if "maxInclusive" in facets else "")
    said = " ".join(word for word in words if word)
    if "totalDigits" in facets:
        said += f", at most {facets['totalDigits']} digits"
    return f"{said}, {facets['fractionDigits']} after the point" if "fractionDigits" in facets else said


def is_identifier(contract: Contract, type_name: str) -> bool:
    """Whether a type is one of the identifiers of xsd/common.xsd."""
    value_type = contract.value_types.get(type_name)
    return value_type is not None and ("pattern", IDENTIFIER) in value_type.facets
