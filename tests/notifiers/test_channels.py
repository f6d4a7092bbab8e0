"""A notice is handed over to a web server or a mail server, and only what was surely taken counts as taken."""

import email
import email.policy
import hashlib
import hmac
import json
import ssl
import time

import pytest
from pydantic import SecretStr

from gateway.critical_rules import SmtpNotifier, WebhookNotifier
from gateway.notifiers.mail import Mail
from gateway.notifiers.notice import NotTaken
from gateway.notifiers.webhook import Webhook
from tests.notifiers.conftest import NOTICE
from tests.notifiers.receivers import MailReceiver, WebReceiver, closing


def webhook(url: str, **changes: object) -> Webhook:
    return Webhook(WebhookNotifier(kind="webhook", name="duty", url=url, **changes))


def mail(port: int, **changes: object) -> Mail:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "gateway@hospital.example",
        "recipients": ("duty@hospital.example", "ward@hospital.example"),
    }
    return Mail(SmtpNotifier(kind="smtp", name="mail", **values | changes))


# --- by webhook -------------------------------------------------------------------------------------------------------


def test_a_webhook_is_posted_the_notice_with_its_number(web: WebReceiver) -> None:
    webhook(web.url).send(NOTICE)
    ((headers, body),) = web.received
    told = json.loads(body)
    assert (told["critical_id"], told["ward"], told["late_minutes"]) == ("WJZ1", "W2001", 2.5)
    assert headers["X-Gateway-Notice"] == told["notice"] == "GW-N7"


def test_it_is_signed_with_the_secret_and_the_time(web: WebReceiver) -> None:
    webhook(web.url, secret=SecretStr("a-secret")).send(NOTICE)
    ((headers, body),) = web.received
    at = headers["X-Gateway-Timestamp"]
    expected = hmac.new(b"a-secret", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-Gateway-Signature"] == f"sha256={expected}"
    assert abs(int(at) - time.time()) < 10


@pytest.mark.parametrize(
    ("how", "code"),
    [("500", "HTTP-500"), ("404", "HTTP-404"), ("302", "HTTP-302"), ("close", "RemoteDisconnected")],
)
def test_any_other_answer_means_that_it_was_not_taken(web: WebReceiver, how: str, code: str) -> None:
    web.script.append(how)
    with pytest.raises(NotTaken, match=code):
        webhook(web.url).send(NOTICE)


def test_an_answer_that_drips_does_not_hold_the_channel(web: WebReceiver) -> None:
    web.script.append("drip")
    begun = time.monotonic()
    with pytest.raises(NotTaken):
        webhook(web.url, timeout_seconds=0.5).send(NOTICE)
    assert time.monotonic() - begun < 20


def test_a_webhook_that_is_not_there_has_taken_nothing() -> None:
    with pytest.raises(NotTaken):
        webhook("http://127.0.0.1:9/notices").send(NOTICE)


# --- by mail ----------------------------------------------------------------------------------------------------------


def test_mail_goes_to_everybody_of_the_channel() -> None:
    server = MailReceiver()
    with closing(server):
        mail(server.port).send(NOTICE)
    (letter,) = server.letters
    parsed = email.message_from_string(letter, policy=email.policy.default)
    assert parsed["Subject"] == NOTICE.text
    assert "ward: W2001" in parsed.get_content()
    assert len(server.recipients) == 2


@pytest.mark.parametrize(("security", "at_once"), [("starttls", False), ("tls", True)])
def test_mail_is_encrypted_and_logs_in(mail_tls: ssl.SSLContext, security: str, at_once: bool) -> None:
    server = MailReceiver(mail_tls, at_once=at_once)
    with closing(server):
        mail(server.port, security=security, username="gateway", secret=SecretStr("a-secret")).send(NOTICE)
    assert (server.logins, len(server.letters)) == (["gateway"], 1)


def test_a_mail_server_nobody_vouches_for_gets_nothing(
    mail_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    server = MailReceiver(mail_tls)
    with closing(server), pytest.raises(NotTaken):
        mail(server.port, security="starttls", username="gateway", secret=SecretStr("a-secret")).send(NOTICE)
    assert (server.logins, server.letters) == ([], [])


def test_a_mail_server_without_encryption_gets_no_password_when_it_is_demanded() -> None:
    server = MailReceiver()
    with closing(server), pytest.raises(NotTaken):
        mail(server.port, security="starttls", username="gateway", secret=SecretStr("a-secret")).send(NOTICE)
    assert server.logins == []


@pytest.mark.parametrize(("refused", "code"), [("MAIL", "SMTP-550"), ("RCPT", "Recipients"), ("DATA", "SMTP-550")])
def test_a_refusal_means_that_it_was_not_taken(refused: str, code: str) -> None:
    server = MailReceiver()
    server.refuse = refused
    with closing(server), pytest.raises(NotTaken, match=code):
        mail(server.port).send(NOTICE)


def test_a_letter_taken_for_some_only_is_sent_to_all_again() -> None:
    server = MailReceiver()
    server.refuse = "RCPT TO:<WARD"
    with closing(server), pytest.raises(NotTaken, match="SOME"):
        mail(server.port).send(NOTICE)


def test_a_wrong_password_is_a_code_and_no_secret() -> None:
    server = MailReceiver()
    with closing(server), pytest.raises(NotTaken, match=r"^SMTP-535$"):
        mail(server.port, username="gateway", secret=SecretStr("wrong")).send(NOTICE)
