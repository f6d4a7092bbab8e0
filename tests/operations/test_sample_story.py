"""The samples partners start from tell one story that the gateway accepts from the first message to the last."""

from lxml import etree

from hospital import CONTRACT, WIRE, Hospital

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
RIGHTS = {"HIS": ("HIS",), "PACS": ("RECORD_ORDERS",)}


def sample(operation: str) -> object:
    wrapper = etree.parse(CONTRACT.sample(operation)).getroot().find(f"{SOAP}Body")[0]
    return WIRE.read(f"{operation}Request", wrapper[0])


def test_the_samples_sent_in_the_order_of_the_contract_are_all_accepted(hospital: Hospital) -> None:
    hospital.dispatch.clients |= {"emr": "EMR"}
    codes = {}
    for operation in CONTRACT.operations:
        request = sample(operation.name)
        hospital.clock.now = request.header.sent_at
        answer = hospital.send(request, rights=RIGHTS[request.header.sender_code])
        codes[operation.name] = (answer.result.result_code, answer.result.warning)
    assert codes == {operation.name: ("0", None) for operation in CONTRACT.operations}
