"""What masters and managers say to each other.

A command goes to ``command.<name>``, its replies to ``master.<id>``; both are decoded as strictly as orders are.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from producer.manager.protocol.asks.table import ASKS, RUNS, Ask
from tasks.errors import MessageError
from tasks.orders import WIRE_VERSION
from tasks.values import Count, HexId
from tasks.wire import decode

MasterQueue = Annotated[str, Meta(pattern=r"^master\.[0-9a-f]{32}$")]
MAX_LINE = 1024 * 1024
Line = Annotated[str, Meta(max_length=MAX_LINE)]
ReplyKind = Literal["accepted", "refused", "out", "data", "err", "end"]


class Command(Struct, frozen=True, kw_only=True):
    """What a master asks, and how it is to be answered."""

    run_id: HexId
    #: Returned with each reply: only a reader of this message can answer it.
    nonce: HexId
    command: str
    #: An object of the class that ``ASKS`` has for the command; plain JSON on the way.
    ask: Any
    #: Whether lists are wanted as JSON lines; runs always are.
    json: bool
    #: Whether only the acceptance is answered, and the run continues by itself.
    detached: bool
    reply_to: MasterQueue
    #: By the broker's clock: a command that has waited longer than this for its manager is not carried out.
    expires_s: Count
    #: The width of the terminal that shows the output; 0 when it goes elsewhere.
    columns: Annotated[int, Meta(ge=0, le=10_000)] = 0
    version: Literal[1] = WIRE_VERSION

    def reply(self, kind: ReplyKind, text: str = "", *, number: int = 0, exit_code: int = 0) -> Reply:
        """An answer to this command."""
        return Reply(
            run_id=self.run_id, nonce=self.nonce, kind=kind, text=text[:MAX_LINE], number=number, exit_code=exit_code
        )

    def __post_init__(self) -> None:
        if self.command not in ASKS:
            raise ValueError(f"{ascii(self.command)[:40]} cannot be asked of a manager")
        if self.detached and self.command not in RUNS:
            raise ValueError(f"{self.command} cannot be detached")


class Reply(Struct, frozen=True, kw_only=True):
    """A reply to a command: first accepted or refused, then lines or data, then the end.

    ``number`` counts the replies that must all arrive, once each, from 1; 0 is a reply that may be lost.  The text of
    ``data`` is base64 of bytes.
    """

    run_id: HexId
    nonce: HexId
    kind: ReplyKind
    text: Line = ""
    number: Count = 0
    exit_code: Annotated[int, Meta(ge=-255, le=255)] = 0
    version: Literal[1] = WIRE_VERSION


Message = TypeVar("Message", Command, Reply)


def decode_command(wire: Any) -> Command:
    """Raises MessageError for anything but a command of this version."""
    envelope = _decode(Command, "command", wire)
    return replace(envelope, ask=_decode_ask(envelope.command, envelope.ask))


def _decode_ask(command: str, wire: Any) -> Ask:
    ask = decode(ASKS[command], wire)
    try:
        # What no file system could name cannot be passed to a process either.
        json.dumps(wire, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise MessageError(f"{command}: text that is neither UTF-8 nor bytes of a name") from error
    return ask


def decode_reply(wire: Any) -> Reply:
    return _decode(Reply, "reply", wire)


def _decode(cls: type[Message], what: str, wire: Any) -> Message:
    if isinstance(wire, dict) and wire.get("version") != WIRE_VERSION:
        raise MessageError(
            f"{what}: message version {wire.get('version')!r}; this segfleet speaks {WIRE_VERSION}",
            hint="run the same release of segfleet on every host",
        )
    return decode(cls, wire)
