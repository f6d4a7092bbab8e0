"""A hundred hostile messages, and random damage to good ones: whatever arrives, the sender learns that it is at fault.

It gets a SOAP fault in its own version within two seconds, of at most 500 characters and without any of its values.
"""

from __future__ import annotations

import copy
import gzip
import random

import pytest
from inprocess import (
    BOTH,
    OPERATIONS,
    SECRET,
    V11,
    V12,
    WIRE,
    Gateway,
    auth_header,
    basic,
    envelope,
    message,
    refused,
    sample,
    text_of,
)
from lxml import etree

from gateway.contract import NAMESPACE

XSI = "http://www.w3.org/2001/XMLSchema-instance"
both = pytest.mark.parametrize("version", BOTH, ids=["1.1", "1.2"])


def hostile(version) -> dict[str, tuple[bytes, str, dict[str, str]]]:
    """By name: body, Content-Type, further WSGI variables."""
    kind = version.content_type
    good = message(version=version)
    table: dict[str, tuple[bytes, str, dict[str, str]]] = {}

    def add(name: str, body: str | bytes, content_type: str = kind, **more: str) -> None:
        assert name not in table
        table[name] = (body.encode() if isinstance(body, str) else body, content_type, more)

    # the frame
    add("white space only", " \r\n\t")
    add("one byte", "<")
    add("a NUL in a number", good.replace("<RequisitionNo>SQ", "<RequisitionNo>SQ\0"))
    add("a NUL in an amount", good.replace("<Amount>480.00", "<Amount>480.00\0"))
    add("a NUL in a tag", good.replace("<Action>", "<Act\0ion>"))
    add("a NUL in a user name", message(version=version, header=auth_header(name="HIS\0")))
    add("a NUL in an attribute", good.replace("<Action>", '<Action a="\0">'))
    add("a NUL between elements", good.replace("<Action>", "\0<Action>"))
    add("a NUL behind", good + "\0")
    add("thousands of NULs", good.replace("王", "\0" * 5000))
    add("a NUL and our mark for it", good.replace("王", "\0\ufdd0"))
    add("html", "<html><body>hello</body></html>")
    add("json", '{"Action": "NEW"}')
    add("cut in the middle", good[: len(good) // 2])
    add("cut in the last tag", good[:-1])
    add("cut in a character", good.encode()[: good.encode().index("𠮷".encode()) + 2])
    add("twice", good + good)
    add("text behind", good + "text")
    add("wrong envelope name", good.replace("s:Envelope", "s:Envelop"))
    add("lower case envelope", good.replace("s:Envelope", "s:envelope"))
    add("body without namespace", good.replace("<s:Body>", "<Body>").replace("</s:Body>", "</Body>"))
    add(
        "header of the other version",
        good.replace("<s:Header>", '<o:Header xmlns:o="urn:o">').replace("</s:H", "</o:H"),
    )
    add("prefix undeclared", good.replace("<Request>", "<q:Request>").replace("</Request>", "</q:Request>"))
    add("operation in another namespace", good.replace(f'on xmlns="{NAMESPACE}"', 'on xmlns="urn:other"'))
    add(
        "response as request",
        good.replace("SubmitRequisition>", "SubmitRequisitionResponse>").replace(
            "<SubmitRequisition ", "<SubmitRequisitionResponse "
        ),
    )
    add("auth header as request", envelope(auth_header(), version))
    add("fault as request", envelope(f'<GatewayFault xmlns="{NAMESPACE}"/>', version))
    add("unknown operation", envelope(f'<DropTables xmlns="{NAMESPACE}"><Request/></DropTables>', version))
    add("operation with a long name", envelope(f'<{"A" * 100_000} xmlns="{NAMESPACE}"/>', version))
    add("comment only", envelope("<!-- nothing -->", version))
    add("CDATA only", envelope(f"<![CDATA[{SECRET}]]>", version))
    add("unfinished CDATA", good.replace("王", "<![CDATA[王"))
    add("unfinished comment", good.replace("王", "<!--王"))
    add("processing instruction", good.replace("<s:Body>", "<s:Body><?php echo 1 ?>"))
    add("declaration in the middle", good.replace("<s:Body>", '<s:Body><?xml version="1.0"?>'))

    # attributes and depth
    add("deep", envelope("<a>" * 300 + "</a>" * 300, version))
    add("just too deep", good.replace("王𠮷祥", "<a>" * 70 + "</a>" * 70))
    add("very deep", envelope("<a>" * 100_000, version))
    add("many attributes", good.replace("<Action>", "<Action " + " ".join(f'a{n}="{n}"' for n in range(100)) + ">"))
    add(
        "many declarations",
        good.replace("<Action>", "<Action " + " ".join(f'xmlns:n{n}="u{n}"' for n in range(99)) + ">"),
    )
    add("same attribute twice", good.replace("<Action>", '<Action a="1" a="2">'))
    add("attribute without quotes", good.replace("<Action>", "<Action a=1>"))
    add("unknown attribute", good.replace("<Request>", '<Request version="2">'))
    add("xinclude", good.replace("王𠮷祥", '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'))
    add("a long attribute", good.replace("<Action>", f'<Action a="{SECRET * 100}">'))
    add("nil on a required element", good.replace("<Action>NEW", f'<Action xmlns:i="{XSI}" i:nil="true">'))

    # texts and codes
    for name, text in {
        "control character": "\x01",
        "escape": "\x1b",
        "form feed": "\x0c",
        "not a character": "\ufffe",
        "reference to NUL": "&#0;",
        "reference to a control": "&#x1;",
        "reference to nothing": "&#;",
        "reference out of range": "&#x110000;",
        "reference very long": "&#" + "9" * 5000 + ";",
        "bare ampersand": "A & B",
        "bare less": "a < b",
        "undeclared entity": "&eacute;",
        "html": "<b>王</b>",
        "end of CDATA": "]]>",
    }.items():
        add(f"name with {name}", good.replace("王𠮷祥", text))
    add("name too long", good.replace("王𠮷祥", "王" * 10_000))
    add("a megabyte of name", good.replace("王𠮷祥", "王" * 350_000))
    for name, old, new in [
        ("empty action", "<Action>NEW<", "<Action><"),
        ("blank action", "<Action>NEW<", "<Action>  <"),
        ("unknown action", "<Action>NEW<", "<Action>DROP<"),
        ("sql", "<RequisitionNo>SQ", "<RequisitionNo>' OR 1=1 --"),
        ("too long number", "<RequisitionNo>SQ", "<RequisitionNo>" + "9" * 60),
        ("full width number", "<RequisitionNo>SQ", "<RequisitionNo>ＳＱ"),
        ("no message id", "<MessageId>HIS-20261116-000101</MessageId>", ""),
        ("empty message id", "<MessageId>HIS-20261116-000101<", "<MessageId><"),
        ("message id with line break", "<MessageId>HIS-", "<MessageId>HIS&#10;2026 ERROR forged"),
        ("no sender", "<SenderCode>HIS</SenderCode>", ""),
        ("sender twice", "<SenderCode>HIS</SenderCode>", "<SenderCode>HIS</SenderCode>" * 2),
        ("sex X", "<SexCode>1<", "<SexCode>X<"),
        ("sex in Chinese", "<SexCode>1<", "<SexCode>男<"),
        ("huge integer", "<ItemSeq>1<", "<ItemSeq>99999999999999999999<"),
        ("negative integer", "<ItemSeq>1<", "<ItemSeq>-1<"),
        ("hex integer", "<ItemSeq>1<", "<ItemSeq>0x1<"),
        ("very long integer", "<ItemSeq>1<", "<ItemSeq>" + "1" * 100_000 + "<"),
        ("negative quantity", "<Quantity>1<", "<Quantity>-1<"),
        ("very long decimal", "<Quantity>1<", "<Quantity>0." + "0" * 100_000 + "1<"),
        ("infinite amount", "<Amount>480.00<", "<Amount>INF<"),
        ("amount with unit", "<Amount>480.00<", "<Amount>480.00元<"),
        ("amount with comma", "<Amount>480.00<", "<Amount>1,480.00<"),
        ("three decimals", "<Amount>480.00<", "<Amount>480.001<"),
        ("february 30", "<BirthDate>1968-04-17<", "<BirthDate>1968-02-30<"),
        ("month 13", "<BirthDate>1968-04-17<", "<BirthDate>1968-13-01<"),
        ("chinese date", "<BirthDate>1968-04-17<", "<BirthDate>1968年4月17日<"),
        ("slashes", "<BirthDate>1968-04-17<", "<BirthDate>1968/04/17<"),
        ("year 10000", "<BirthDate>1968-04-17<", "<BirthDate>10000-01-01<"),
        ("year -1", "<BirthDate>1968-04-17<", "<BirthDate>-0001-01-01<"),
        ("date as time", "<OrderedAt>2026-11-16T09:05:00+08:00<", "<OrderedAt>2026-11-16<"),
        ("hour 25", "<OrderedAt>2026-11-16T09:05:00+08:00<", "<OrderedAt>2026-11-16T25:00:00<"),
        ("zone 15", "<OrderedAt>2026-11-16T09:05:00+08:00<", "<OrderedAt>2026-11-16T09:05:00+15:00<"),
        ("no items", "</Items>", "</Items><Items/>"),
        ("items emptied", good[good.index("<Items>") : good.index("</Items>")], "<Items>"),
        ("item of another list", "<Diagnosis>", "<Item>"),
        ("unknown element", "<Action>", "<Extra>1</Extra><Action>"),
        ("unknown element at the end", "</Request>", f"<Extra>{SECRET}</Extra></Request>"),
        ("element named by the patient", "</Request>", f"<{SECRET}/></Request>"),
        ("wrong case", "<Action>NEW</Action>", "<action>NEW</action>"),
        ("header last", "<Header>", "<Header1>"),
        ("text between", "<Patient>", f"{SECRET}<Patient>"),
        ("namespace of nobody", "<Patient>", '<Patient xmlns="http://example.org/">'),
        ("other namespace", "<Patient>", '<Patient xmlns="urn:hospital-gateway:v2">'),
    ]:
        assert old in good, name
        add(name, good.replace(old, new, 1))
    for many in (2000, 12_000):
        item = good[good.index("<Item>") : good.index("</Item>") + 7]
        add(f"{many} items", good.replace("</Items>", item * many + "</Items>")[:2_000_000])

    # header
    add("no credentials", message(version=version, header=""))
    add("wrong password", message(version=version, header=auth_header(password="x")))
    add("unknown user", message(version=version, header=auth_header(name="NOBODY")))
    add("two auth headers", message(version=version, header=auth_header() * 2))
    add(
        "auth header without password",
        message(version=version, header=auth_header().replace("<Password>", "<P>").replace("</Password>", "</P>")),
    )
    add("very long password", message(version=version, header=auth_header(password="x" * 100_000)))
    add("user name with markup", message(version=version, header=auth_header(name="&lt;HIS&gt;")))
    add("two names", message(version=version), kind, HTTP_AUTHORIZATION=basic("PACS"))
    add("basic that is no base64", message(version=version, header=""), kind, HTTP_AUTHORIZATION="Basic ???")
    add("basic without colon", message(version=version, header=""), kind, HTTP_AUTHORIZATION="Basic SElT")
    add(
        "mustUnderstand banana",
        message(version=version, header=auth_header() + '<x:y xmlns:x="u" s:mustUnderstand="banana"/>'),
    )
    add("text in the header", message(version=version, header=auth_header() + SECRET))

    # HTTP
    plain = kind.partition(";")[0]
    add("no xml type", good, "application/octet-stream")
    add("image", good, "image/png")
    add("charset of nobody", good, f"{plain}; charset=x-user-defined")
    add("charset very long", good, f"{plain}; charset={'x' * 5000}")
    add("length too long", good, kind, CONTENT_LENGTH=str(len(good.encode()) + 10))
    add("length is a word", good, kind, CONTENT_LENGTH="many")
    add("negative length", good, kind, CONTENT_LENGTH="-5")
    add("brotli", good, kind, HTTP_CONTENT_ENCODING="br")
    add("gzip that is none", good, kind, HTTP_CONTENT_ENCODING="gzip")
    add("gzip cut off", gzip.compress(good.encode())[:-20], kind, HTTP_CONTENT_ENCODING="gzip")
    add("utf-16 cut off", good.encode("utf-16")[:-1], plain)
    add("utf-16 as utf-8", good.encode("utf-16-le"), f"{plain}; charset=utf-8")
    add("utf-32", good.encode("utf-32"), plain)
    add("latin-1", good.replace("王𠮷祥", "Müller").encode("latin-1", "replace"), plain)
    add("too large", good.replace("王𠮷祥", "王" * 800_000), kind)
    return table


NAMES = sorted(hostile(V11))


def test_the_table_is_long():
    assert len(NAMES) > 100
    assert sorted(hostile(V12)) == NAMES


TABLES = {version: hostile(version) for version in BOTH}


@both
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_message_is_refused(gateway, version, name):
    body, content_type, more = TABLES[version][name]
    refused(gateway.post(body, content_type, strict=False, **more), version, gateway)


@both
def test_a_schema_location_is_allowed_and_nobody_goes_there(gateway, version):
    location = f'<Request xmlns:i="{XSI}" i:schemaLocation="{NAMESPACE} http://192.0.2.1/gateway.xsd">'
    assert gateway.post(message(version=version).replace("<Request>", location)).seconds < 1
    assert gateway.reception.received


# --- Random damage ----------------------------------------------------------------------------------------------------

NASTY = [
    "",
    " ",
    "\t\n",
    "0",
    "-1",
    "1e9",
    "NaN",
    "true",
    "王",
    "𠮷",
    "]]>",
    "&amp;",
    "9" * 40,
    "2026-02-30",
    SECRET,
    "<x/>",
]
BYTES = [
    b"<",
    b">",
    b"&",
    b"\0",
    b"\xff",
    b"\xd5\xc5",
    b"]]>",
    b"<!--",
    b"<![CDATA[",
    b"<!DOCTYPE x>",
    b"</",
    b'"',
    b"&#1;",
]


def damaged(chance: random.Random) -> tuple[bytes, object]:
    """A good message after one to three accidents, and its version."""
    version = chance.choice(BOTH)
    wrapper = sample(chance.choice(OPERATIONS))
    for _ in range(chance.randint(0, 3)):
        damage_tree(wrapper, chance)
    body = envelope(text_of(wrapper), version).encode(chance.choice(["utf-8", "utf-8", "utf-8", "gb18030", "utf-16"]))
    for _ in range(chance.choice([0, 0, 1, 2])):
        at = chance.randrange(len(body))
        length = chance.choice([0, 1, 1, 5, 50])
        body = body[:at] + chance.choice([b"", *BYTES, body[at : at + 40]]) + body[at + length :]
    return body, version


def damage_tree(wrapper, chance: random.Random) -> None:
    element = chance.choice(list(wrapper.iter()))
    other = chance.choice(list(wrapper.iter()))
    parent = element.getparent()
    kind = chance.randrange(8)
    if kind == 0:
        element.text = chance.choice(NASTY)
    elif kind == 1:
        element.set(chance.choice(["id", "href", f"{{{XSI}}}nil", f"{{{XSI}}}type", "{urn:x}y"]), chance.choice(NASTY))
    elif kind == 2:
        element.tail = chance.choice(NASTY)
    elif kind == 3:
        element.tag = f"{{{chance.choice([NAMESPACE, 'urn:x'])}}}{chance.choice(['Request', 'Item', 'Patient', 'X'])}"
    elif parent is not None and kind == 4:
        parent.remove(element)
    elif parent is not None and kind == 5:
        parent.append(element)
    elif parent is not None and kind == 6:
        parent.insert(0, copy.deepcopy(other))
    elif kind == 7:
        element.append(copy.deepcopy(other))


def send_damaged(seeds: range) -> None:
    gateway = Gateway()
    for seed in seeds:
        body, version = damaged(random.Random(seed))
        kind = version.content_type.partition(";")[0]
        gateway.reception.received.clear()
        gateway.reception.answers.clear()
        reply = gateway.post(body, kind, strict=False)
        assert reply.seconds < 2, seed
        if reply.status == 200:
            assert reply.response is not None
            [received] = gateway.reception.received
            kept = etree.fromstring(WIRE.document(received.operation, received.request))
            assert WIRE.read(f"{received.operation}Request", kept[0]) == received.request, seed
        else:
            assert reply.fault.blames_the_caller, (seed, reply.content.decode())
            assert SECRET[:65] not in reply.content.decode(), seed


def test_random_damage_is_always_the_senders_fault():
    send_damaged(range(300))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(20))
def test_much_random_damage_is_always_the_senders_fault(block):
    send_damaged(range(1000 * (block + 1), 1000 * (block + 2)))
