"""A channel that sends mail through the hospital's mail server."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from gateway.critical_rules import SmtpNotifier
from gateway.notifiers.notice import Notice, NotTaken
from gateway.partners.connection import usual_tls


class Mail:
    """Sends a notice to everybody of the channel; taken when the server has accepted it for all of them."""

    def __init__(self, settings: SmtpNotifier) -> None:
        self._settings = settings

    def send(self, notice: Notice) -> None:
        try:
            with self._connected() as server:
                refused = server.send_message(_letter(self._settings, notice))
        except smtplib.SMTPResponseException as problem:
            raise NotTaken(f"SMTP-{problem.smtp_code}") from None
        except (OSError, smtplib.SMTPException, ValueError) as problem:
            raise NotTaken(type(problem).__name__) from None
        if refused:
            raise NotTaken("SMTP-SOME-REFUSED")

    def _connected(self) -> smtplib.SMTP:
        settings, trusted = self._settings, usual_tls()
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_seconds, context=trusted
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
        try:
            if settings.security == "starttls":
                server.starttls(context=trusted)
            if settings.username is not None:
                server.login(settings.username, settings.secret.get_secret_value() if settings.secret else "")
        except BaseException:
            server.close()
            raise
        return server


def _letter(settings: SmtpNotifier, notice: Notice) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = notice.text
    letter["From"] = settings.sender
    letter["To"] = ", ".join(settings.recipients)
    letter["Message-ID"] = f"<{notice.notice}@{notice.hospital_code}.gateway.invalid>"
    letter.set_content("\n".join(f"{name}: {value}" for name, value in notice.as_json().items()) + "\n")
    return letter
