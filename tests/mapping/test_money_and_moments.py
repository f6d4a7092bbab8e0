"""Amounts and times as vendors write them: what could be two is refused, and never becomes one of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree

from gateway.mapping import json_form
from gateway.mapping.dates import read_moment
from gateway.mapping.errors import MappingFailed, PayloadUnreadable, StylesheetBroken
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.stylesheet import Stylesheet
from gateway.mapping.success import Answered, Meaning, SuccessRule
from gateway.mapping.xml_text import read_xml

BEIJING = timezone(timedelta(hours=8))
XSL = 'version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"'


def made(expression: str, folder: Path, source: str = "<a/>") -> str:
    """What an XPath of a stylesheet gives."""
    sheet = folder / "one.xsl"
    sheet.write_text(
        f'<xsl:stylesheet {XSL}><xsl:output method="text"/><xsl:template match="/">'
        f'<xsl:value-of select="{expression}"/></xsl:template></xsl:stylesheet>'
    )
    with under(Circumstances()):
        return str(Stylesheet(sheet).apply(etree.fromstring(source)))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-28T08:05:00+08:00", "2026-11-28T08:05:00"),
        ("2026-11-28T00:05:00.000Z", "2026-11-28T08:05:00"),
        ("2026-11-28 8:05", "2026-11-28T08:05:00"),
        ("2026/1/2 3:04:05", "2026-01-02T03:04:05"),
        ("2026年11月28日8:05", "2026-11-28T08:05:00"),
        ("20261128080500", "2026-11-28T08:05:00"),
        ("20261128 08:05:00", "2026-11-28T08:05:00"),
        ("202611280805+0800", "2026-11-28T08:05:00"),
        ("2026112808", "2026-11-28T08:00:00"),
        ("2026-11-28 24:00", "2026-11-29T00:00:00"),
        ("20261128", "2026-11-28T00:00:00"),
    ],
)
def test_a_time_is_understood_however_it_is_written(written, meant):
    assert read_moment(written, BEIJING) == datetime.fromisoformat(meant).replace(tzinfo=BEIJING)


@pytest.mark.parametrize(
    "written",
    [
        "198512",
        "2026112",
        "2026",
        "20261128105",
        "20261128T105",
        "2026-1128",
        "2026-11-288:05",
        "2026-11-28T24:30",
        "2024-02-30",
        "28/11/2026",
        "2026-11-28T8",
        "2026-11-28T08:05:00+99:99",
        "２０２６1128",
    ],
)
def test_a_date_that_is_none_or_could_be_two_is_refused(written):
    with pytest.raises(ValueError, match=r"no date|no time|day|offset"):
        read_moment(written, BEIJING)


@pytest.mark.parametrize(
    ("expression", "amount"),
    [
        ("g:money('12.345')", "12.35"),
        ("g:money(' .5 ')", "0.50"),
        ("g:money(0.1 + 0.2)", "0.30"),
        ("g:money('1e-3')", "0.00"),
        ("g:cents('12.34')", "1234"),
        ("g:from-cents('-1234')", "-12.34"),
        ("g:money('')", ""),
    ],
)
def test_an_amount_is_rounded_once(expression, amount, tmp_path):
    assert made(expression, tmp_path) == amount


@pytest.mark.parametrize("written", ["1_000", "1,000", "１２", "1e999", "NaN", "Infinity", "9" * 40, "12元", "--1"])
@pytest.mark.parametrize("function", ["money", "cents", "from-cents"])
def test_what_is_no_amount_is_refused_and_not_shown(written, function, tmp_path):
    with pytest.raises(MappingFailed, match=f"g:{function} was given something that is no amount") as refused:
        made(f"g:{function}('{written}')", tmp_path)
    assert written not in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("g:item('a^b', '王')", "no whole number"),
        ("g:item('a^b', 1, '')", "no separator"),
        ("g:items('a^b', '')", "no separator"),
        ("g:date()", "too few arguments"),
    ],
)
def test_a_stylesheet_that_asks_the_impossible_is_told_without_a_value(expression, why, tmp_path):
    with pytest.raises(MappingFailed, match=why) as refused:
        made(expression, tmp_path)
    assert "王" not in str(refused.value)


def test_numbers_of_json_are_json():
    element = etree.fromstring('<Json><n type="number">+007.50</n></Json>')
    assert json_form.write(element) == '{"n": 7.50}'
    for text in ("Infinity", "NaN", "1_0", "１"):
        element[0].text = text
        with pytest.raises(MappingFailed, match="no number"):
            json_form.write(element)
    with pytest.raises(PayloadUnreadable, match="no JSON"):
        json_form.read('{"amount": NaN}')


@pytest.mark.parametrize(
    ("xpath", "refused", "answer", "meaning"),
    [
        ("string(//Code)", ("-1",), "<R><Code>0</Code><Line><Code>-1</Code></Line></R>", Meaning.UNCLEAR),
        ("//Code", ("-1",), "<R><Code>0</Code><Line><Code>-1</Code></Line></R>", Meaning.UNCLEAR),
        ("string(//Code)", ("*",), "<R><Code>0</Code></R><E><Code>7</Code></E>", Meaning.UNCLEAR),
        ("string(//Code)", ("*",), "<R><Code>0</Code></R><E><Text>7</Text></E>", Meaning.YES),
        ("string(//Code)", ("*",), "<R><Code>0</Code><Item><Code>C7</Code></Item></R>", Meaning.YES),
        ("string(//Code)", ("-1",), "<R><Code>0</Code><Code>0</Code></R>", Meaning.YES),
        ("string(//Code)", ("-1",), "<R><Code>-1</Code><Code>0</Code></R>", Meaning.NO),
        ("concat(//Code, '')", ("-1",), "<R><Code>0</Code></R>", Meaning.YES),
    ],
)
def test_an_answer_that_says_yes_and_no_is_no_yes(xpath, refused, answer, meaning):
    rule = SuccessRule(xpath=xpath, refused=refused)
    payload = read_xml(answer)
    assert rule.judge(Answered(payload, payload=payload)).meaning is meaning


@pytest.mark.parametrize("xpath", ["string(/x:Code)", "matches(/Code, '0')", "string(/Code"])
def test_a_rule_nobody_can_ask_is_found_before_anything_is_sent(xpath):
    with pytest.raises(StylesheetBroken, match="This is no XPath"):
        SuccessRule(xpath=xpath)
