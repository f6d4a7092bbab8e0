"""A report longer than its partner takes: refused loudly and kept, or its address is sent (32,767 bytes)."""

import dataclasses

from gateway.model.delivery import DeliveryAttempt
from gateway.model.journal import Alert

LIMIT = {"path": "Findings", "length": 32767, "unit": "bytes"}
ADDRESS = {"above": "url", "url": "https://pacs.example.org/report/{ReportNo}"}


def report(site, characters: int):
    forward = site.forward("SubmitReport", "REP1")
    return dataclasses.replace(forward, request=dataclasses.replace(forward.request, findings="未" * characters))


def test_it_becomes_a_dead_letter_that_says_why_and_nothing_of_it(make_site, his):
    site = make_site(his.partner("HIS", charset="gb18030", fields=[LIMIT]))
    with site.working():
        fits, too_long = site.put(report(site, 16383))[0], site.put(report(site, 16384))[0]
        site.wait_for(fits, "DELIVERED")
        site.wait_for(too_long, "DEAD")
    with site.sessions() as session:
        (attempt,) = session.query(DeliveryAttempt).filter_by(delivery_id=too_long)
        (alert,) = session.query(Alert)
    assert (attempt.code, attempt.detail) == ("FIELD-LIMIT", "Findings has 32768 bytes, the partner takes 32767")
    assert alert.kind == "DELIVERY_DEAD"
    assert "未" not in alert.subject
    assert len(his.received) == 1


def test_or_its_address_goes_in_its_place(make_site, his):
    site = make_site(his.partner("HIS", charset="gb18030", fields=[LIMIT | ADDRESS]))
    with site.working():
        site.wait_for(site.put(report(site, 60_000))[0], "DELIVERED")
    (received,) = his.received
    assert received.request.findings == f"https://pacs.example.org/report/{received.request.report_no}"


def test_a_critical_value_that_is_too_long_alarms_at_once(make_site, his):
    site = make_site(his.partner("HIS", fields=[{"path": "Content", "length": 3}]))
    forward = site.forward("PushCriticalValue", "K1", urgent=True)
    long = dataclasses.replace(forward, request=dataclasses.replace(forward.request, content="K+ 7.1"))
    with site.working():
        site.wait_for(site.put(long)[0], "DEAD")
    with site.sessions() as session:
        assert [alert.kind for alert in session.query(Alert)] == ["DELIVERY_DEAD"]
    assert his.received == []
