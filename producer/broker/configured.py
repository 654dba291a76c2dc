"""Checks that a configured broker answers and that Celery can use it."""

from __future__ import annotations

import re
from typing import Any

from kombu import Connection
from redis.exceptions import RedisError, ResponseError

from producer.broker.server import OLDEST_VERSION
from producer.broker.urls import SCHEMES, scheme_of, without_password
from tasks.broker.connections import verified
from tasks.broker.writable import check_writable
from tasks.errors import BrokerError

ANSWER_TIMEOUT_S = 3.0

_OTHER_CERTIFICATE = (
    "somebody may be posing as the broker; if it is the right one, name the authority that signed its certificate: "
    "ssl_ca_certs in [broker]"
)


def check_configured(url: str) -> None:
    """Connect as Celery will; raises BrokerError, which names the URL without its password.

    Takes ANSWER_TIMEOUT_S at most for each address that the host's name stands for.
    """
    shown = without_password(url)
    if scheme_of(url) not in SCHEMES:
        raise BrokerError(f"broker {shown}: the URL must start with one of {', '.join(SCHEMES)}")
    try:
        version = _ask_version(url)
    except (RedisError, OSError) as error:
        hint = _OTHER_CERTIFICATE if "CERTIFICATE_VERIFY_FAILED" in str(error) else ""
        raise BrokerError(f"broker {shown} cannot be used: {error}", hint=hint) from error
    except (ValueError, TypeError, KeyError):
        # The text of such an error may quote a part of the password.
        raise BrokerError(
            f"broker {shown}: the URL is malformed",
            hint="percent-encode special characters in user and password; the number of the database follows the host",
        ) from None
    if version < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise BrokerError(
            f"broker {shown} is older than version {oldest} of Redis, the oldest that Celery can use",
            hint="update the server (redis or valkey), or leave the url out to use the private server",
        )


def _ask_version(url: str) -> tuple[int, int]:
    # Through kombu, so that every spelling of an option means here what it means to Celery.
    options = {"socket_timeout": ANSWER_TIMEOUT_S, "socket_connect_timeout": ANSWER_TIMEOUT_S}
    connection = Connection(verified(url), transport_options=options)
    # Not connection.channel(): it would try a second time, 2 s later.
    transport = connection.transport
    try:
        client = transport.create_channel(transport.establish_connection()).client
        client.ping()
        check_writable(client)
        # HELLO rather than INFO: a user with few rights may call it, every connection begins with it.
        return _parse_version(client.execute_command("HELLO"))
    except ResponseError as error:
        if "unknown command" in str(error) and "HELLO" in str(error):  # before 6.0
            return (0, 0)
        raise
    finally:
        transport.close_connection(transport)


def _parse_version(hello: Any) -> tuple[int, int]:
    """(major, minor) in the answer to HELLO: a mapping, or with RESP2 keys and values in turn."""
    facts = hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2], strict=True))
    found = re.match(rb"(\d+)\.(\d+)", facts[b"version"])
    return (int(found[1]), int(found[2])) if found else (0, 0)
