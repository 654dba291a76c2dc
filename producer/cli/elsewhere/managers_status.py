"""What the catalogs of a fleet's managers say: the volumes, reservations and devices of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from producer.cli.call import Call
from producer.manager.presence import Presence
from producer.manager.protocol.asks.looking import AskStatus
from producer.master.ask import ask
from tasks.errors import BrokerError, SegfleetError


class _Collected:
    """Keeps what a manager prints, instead of showing it."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.errors: list[str] = []

    @property
    def text(self) -> str:
        return self._data.decode("utf-8", "surrogateescape")

    def out(self, line: str) -> None:
        self._data += f"{line}\n".encode("utf-8", "surrogateescape")

    def data(self, data: bytes) -> None:
        self._data += data

    def err(self, line: str) -> None:
        self.errors.append(line)


def statuses(call: Call, managers: Iterable[Presence]) -> Iterator[tuple[str, str]]:
    """(names of managers, what they print), and ("", a complaint) for each that cannot say.

    Managers that share a catalog say the same, once.
    """
    names: dict[str, list[str]] = {}
    for presence in managers:
        try:
            names.setdefault(_status(call, presence.name), []).append(presence.name)
        except BrokerError:
            raise
        except SegfleetError as error:
            yield "", error.message
    yield from ((", ".join(found), text) for text, found in names.items())


def _status(call: Call, manager: str) -> str:
    assert call.broker_url is not None
    collected = _Collected()
    code = ask(
        call.broker_url,
        manager,
        "status",
        AskStatus(),
        json=call.json,
        columns=call.width or 0,
        detached=False,
        show=collected,
        on_accepted=lambda run_id: None,
    )
    if code:
        why = " ".join(collected.errors) or f"its status ended with {code}"
        raise SegfleetError(f"manager {manager}: {why.removeprefix('segfleet: ')}")
    return collected.text
