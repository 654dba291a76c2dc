"""What a firewall on the way does to the connections that a host has now; later ones pass."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from kit.services.namespaces import NamespaceHost

_ESTABLISHED = "01"
_NUMBERS = itertools.count()


def drop_known_connections(host: NamespaceHost) -> None:
    """No packet of them arrives or leaves any more, until the host loses its power."""
    _add_rules(host, "drop")


def reset_known_connections(host: NamespaceHost) -> Callable[[], None] | None:
    """The next packet of each, either way, is answered with a reset, until the returned function is called."""
    table = _add_rules(host, "reject with tcp reset")

    def stop() -> None:
        if table and host.is_on:
            host.run("nft", "delete", "table", "inet", table)

    return stop


def _add_rules(host: NamespaceHost, verdict: str) -> str:
    """The name of a new table with these rules; "" without a connection."""
    known = ", ".join(f"{near} . {address} . {far}" for near, address, far in _connections(host))
    if not known:
        return ""
    table = f"trouble{next(_NUMBERS)}"
    rules = f"""table inet {table} {{
        set known {{ type inet_service . ipv4_addr . inet_service; elements = {{ {known} }} }}
        chain in {{ type filter hook input priority 0; tcp dport . ip saddr . tcp sport @known {verdict}; }}
        chain out {{ type filter hook output priority 0; tcp sport . ip daddr . tcp dport @known {verdict}; }}
    }}"""
    host.succeed("bash", "-c", f"nft -f - <<'END'\n{rules}\nEND\n")
    return table


def _connections(host: NamespaceHost) -> list[tuple[int, str, int]]:
    """Own port, the other end's address and port, of all that are established over IPv4."""
    found = []
    for line in Path(f"/proc/{host.pid}/net/tcp").read_text().splitlines()[1:]:
        _, near, far, state, *_ = line.split()
        address, port = far.split(":")
        if state == _ESTABLISHED and not address.endswith("7F"):
            name = socket.inet_ntoa(struct.pack("<I", int(address, 16)))
            found.append((int(near.split(":")[1], 16), name, int(port, 16)))
    return found
