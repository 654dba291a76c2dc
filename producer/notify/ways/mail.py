"""Plain mail, by the standard library."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from producer.notify.changes import Message
from producer.notify.settings import NotifySettings
from producer.notify.ways.refusal import NoAnswerError, NotSentError

_PORTS = {"smtp": 25, "smtps": 465}


def send_mail(settings: NotifySettings, message: Message, *, limit_s: float) -> None:
    """Raises NotSentError.  A password goes over an encrypted connection only, or within this host."""
    try:
        parts = urlsplit(settings.smtp_url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise NotSentError("the URL of the mail server is not smtp://HOST:PORT or smtps://HOST:PORT") from None
    try:
        with _connected(parts.scheme, host, port, limit_s) as server:
            is_encrypted = parts.scheme == "smtps" or _start_tls(server)
            if parts.username:
                if not (is_encrypted or _is_here(host)):
                    raise NotSentError("the mail server does not encrypt, so it does not get the password")
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(_mail(settings, message))
    except smtplib.SMTPResponseException as error:
        raise NotSentError(f"the mail server refused it with code {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise NotSentError("the mail server refused every address") from None
    except smtplib.SMTPServerDisconnected as error:
        why = "timed out" if "timed out" in str(error) else "it closed the connection"
        raise NoAnswerError(f"the mail server does not answer: {why}") from None
    except (smtplib.SMTPException, ValueError) as error:
        raise NotSentError(f"the mail server does not take it: {type(error).__name__}") from None
    except OSError as error:
        why = "timed out" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
        raise NoAnswerError(f"the mail server does not answer: {why}") from None


def _connected(scheme: str, host: str, port: int, limit_s: float) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=limit_s, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=limit_s)


def _start_tls(server: smtplib.SMTP) -> bool:
    server.ehlo()
    if not server.has_extn("starttls"):
        return False
    server.starttls(context=ssl.create_default_context())
    server.ehlo()
    return True


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _mail(settings: NotifySettings, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.title
    mail["From"] = settings.mail_from
    mail["To"] = ", ".join(settings.mail_to)
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid("segfleet", domain=settings.mail_from.rpartition("@")[2] or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.body}\n")
    return mail
