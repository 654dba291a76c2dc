"""Which broker a command uses: the configured one, else the private server of the state folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from producer.broker.configured import check_configured
from producer.broker.private import PrivateServer
from producer.broker.shares import private_server
from producer.broker.urls import socket_url
from producer.host.state import StateFolder


class Broker(Struct, frozen=True, kw_only=True):
    """A broker that answered.  ``url`` is kombu's, and may hold a password."""

    url: str
    server: PrivateServer | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is the private server of the state folder."""
        return self.server is not None

    @property
    def pid(self) -> int | None:
        """Process id of the private server, as it is now; None for a configured broker, or while it is down."""
        return self.server.answering_pid() if self.server else None

    def ensure_running(self) -> None:
        """Restart the private server and its keeper if they are gone; only check a configured broker.

        Cheap when all is well (0.2 ms for the private server): for the manager, whenever the broker
        does not answer.  Raises BrokerError.
        """
        if self.server is not None:
            self.server.ensure_running()
        else:
            check_configured(self.url)


@contextmanager
def broker(configured_url: str | None, state: StateFolder) -> Iterator[Broker]:
    """The broker to use during the with block.

    ``configured_url``, or without it the private server, which is started when no other user has it running and
    stopped when the last user leaves, however it leaves.  Raises BrokerError: not reachable, too old, not startable.
    """
    if configured_url:
        check_configured(configured_url)
        yield Broker(url=configured_url)
        return
    with private_server(state.broker_dir) as server:
        yield Broker(url=socket_url(server.socket_path), server=server)
