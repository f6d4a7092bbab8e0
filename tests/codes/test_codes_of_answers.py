"""The stylesheet of an answer asks the same tables the other way: codes of the partner become codes of the hospital."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from mapping_tables import Hospital

from gateway.codes.lines import Line
from gateway.operations.dispatch import Outcome
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.styles.served import Served
from gateway.styles.style import Said
from gateway.styles.table import STYLES
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, WIRE, sample
from tests.partners.vendor import Vendor

HEAD = 'version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"'
REQUEST = f"""<xsl:stylesheet {HEAD} exclude-result-prefixes="g"><xsl:template match="/*">
<Request><Item><xsl:value-of select="g:code('item', //ChargeCode)"/></Item></Request></xsl:template></xsl:stylesheet>"""
RESPONSE = f"""<xsl:stylesheet {HEAD} exclude-result-prefixes="g"><xsl:template match="/*">
<Response><ChargeNo>1</ChargeNo><HisChargeNo><xsl:value-of select="g:code('item', //Item)"/></HisChargeNo></Response>
</xsl:template></xsl:stylesheet>"""


@pytest.fixture
def vendor():
    vendor = Vendor(Served(STYLES["single"], operations=("Charge",)))
    yield vendor
    vendor.close()


def charge(hospital: Hospital, vendor: Vendor, folder: Path, answered: str):
    (folder / "request.xsl").write_text(REQUEST)
    (folder / "response.xsl").write_text(RESPONSE)
    vendor.answer = lambda asked: Said(f"<R><Code>0</Code><Item>{answered}</Item></R>")
    operation = {
        "operation": "Charge",
        "request": "request.xsl",
        "response": "response.xsl",
        "success": {"xpath": "//Code", "accepted": ["0"]},
    }
    partner = vendor.partner(folder, operations={"ChargeItem": operation})
    partners = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC), codes=hospital.codes)
    return partners.call("PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN), 5)


def test_an_answer_is_read_by_the_same_table_the_other_way(hospital: Hospital, vendor: Vendor, tmp_path: Path):
    ours = sample("ChargeItem").lines[0].charge_code
    hospital.use(Line(ours, "T-17"), table="item", partner="PACS", hospital=ORIGIN.hospital_code)
    answer = charge(hospital, vendor, tmp_path, "T-17")
    assert "<Item>T-17</Item>" in vendor.asked[0].payload
    assert answer.response.his_charge_no == ours


def test_an_answer_with_a_code_that_has_no_row_is_not_taken_for_one(hospital: Hospital, vendor: Vendor, tmp_path: Path):
    """The partner may have booked: the outcome is unknown, and asked for, whatever the table says of missing rows."""
    ours = sample("ChargeItem").lines[0].charge_code
    hospital.use(Line(ours, "T-17"), table="item", partner="PACS", hospital=ORIGIN.hospital_code)
    answer = charge(hospital, vendor, tmp_path, "T-99")
    assert (answer.outcome, answer.missing) == (Outcome.UNKNOWN, None)
