"""How every connection to the broker is made: the server's certificate is verified, and each wait has a limit.

A host that loses its power, a firewall that forgets a connection, a link that is cut: none of them says so.  Anyone who
waits for an answer then waits until the kernel gives up, which takes a quarter of an hour, or for ever if nothing was
under way.  With these limits a dead connection is noticed within seven seconds, and replaced within fifteen.
"""

from __future__ import annotations

import socket
from typing import Any

#: For an answer that the server owes; longer than any BRPOP waits.
ANSWER_S = 7
#: For a short question, and its answer.
QUICK_ANSWER_S = 3
CONNECT_S = 3

#: Between two attempts to reach a broker that is away.
RECONNECT_S = 2

#: After 3 s of silence the kernel asks every 2 s whether the peer is there, and gives up after 2 questions, or when
#: data was not confirmed for 7 s.
SILENCE_S = 3
QUESTION_EVERY_S = 2
QUESTION_COUNT = 2
UNCONFIRMED_S = 7

KEEPALIVE: dict[str, Any] = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        socket.TCP_KEEPIDLE: SILENCE_S,
        socket.TCP_KEEPINTVL: QUESTION_EVERY_S,
        socket.TCP_KEEPCNT: QUESTION_COUNT,
        socket.TCP_USER_TIMEOUT: UNCONFIRMED_S * 1000,
    },
}

#: Options of kombu's transport.  It drops the keepalive for unix sockets by itself.
TRANSPORT_LIMITS: dict[str, Any] = {
    "socket_timeout": ANSWER_S,
    "socket_connect_timeout": CONNECT_S,
    # How late the answer to a BRPOP may be.
    "health_check_interval": 3,
    **KEEPALIVE,
}


def verified(url: str) -> str:
    """``url``, so that kombu and redis-py verify the certificate of a TLS server: kombu does only what the URL says.

    A URL that says something about it already is returned as it is; what users write is checked by
    :func:`producer.configuration.certificates.with_certificates`.
    """
    if not url.lower().startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
