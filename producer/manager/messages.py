"""What masters and managers say to each other.

A command goes to ``command.<name>``, its replies to ``master.<id>``; both are decoded as strictly as
orders are.  No folder of a device, no configuration and nothing secret travels: a command names what the manager knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta

from tasks.errors import MessageError
from tasks.orders import WIRE_VERSION
from tasks.values import Count, HexId
from tasks.wire import decode

ManagerName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
MasterQueue = Annotated[str, Meta(pattern=r"^master\.[0-9a-f]{32}$")]
Word = Annotated[str, Meta(max_length=8192, pattern=r"^[^\x00]*$")]
Words = Annotated[tuple[Word, ...], Meta(max_length=10_000)]
Line = Annotated[str, Meta(max_length=1024 * 1024)]

#: Ends a run; its one word is the run's id.
STOP = "stop"

_STORING = frozenset(
    f"--{name}"
    for name in (
        *("split", "order", "balance", "bundle", "reserve", "segment-size", "unit-size", "level"),
        *("threads", "readers", "nice", "retries"),
        *("exclude", "exclude-caches", "exclude-if-present", "one-file-system", "tag"),
        *("mode", "raw-above", "all-blocks", "freeze"),
    )
)

#: The options that each command may have.  None of them names a file of the manager's host, or a device's folder.
COMMANDS: dict[str, frozenset[str]] = {
    "backup": _STORING | {"--volume"},
    "plan": _STORING | {"--volume", "--svg"},
    "resume": frozenset(),
    "retry": frozenset(),
    "restore": frozenset(
        {"--target", "--include", "--exclude", "--overwrite", "--threads", "--nice", "--skip-damaged"}
    ),
    "check": frozenset({"--read-data", "--read-data-subset"}),
    "snapshots": frozenset(),
    "ls": frozenset({"--long", "--recursive"}),
    "find": frozenset({"--snapshot"}),
    "diff": frozenset({"--metadata"}),
    "dump": frozenset({"--threads"}),
    "devices": frozenset(),
    "status": frozenset(),
    "history": frozenset({"--timing"}),
    "schedule add": _STORING | {"--cron", "--tz", "--catch-up", "--skip-missed", "--overlap"},
    "schedule list": frozenset(),
    "schedule remove": frozenset(),
    "schedule run-due": frozenset(),
    "unlock": frozenset({"--list"}),
    STOP: frozenset(),
}

#: Commands that report their progress, and end with a summary.  What others print is passed on as it is.
RUNS = frozenset({"backup", "resume", "retry", "restore", "check"})

#: Runs that may be begun again after a manager's death: they store nothing twice.
RESUMABLE = frozenset({"backup", "resume", "retry"})

_OPTION = re.compile(r"(--[a-z][a-z-]*)(=.*)?", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command line: ``options`` as ``--name=value`` or ``--flag``, ``words`` the rest."""

    run_id: HexId
    command: Literal[
        "backup",
        "plan",
        "resume",
        "retry",
        "restore",
        "check",
        "snapshots",
        "ls",
        "find",
        "diff",
        "dump",
        "devices",
        "status",
        "history",
        "schedule add",
        "schedule list",
        "schedule remove",
        "schedule run-due",
        "unlock",
        "stop",
    ]
    options: Words
    words: Words
    #: Whether lists are wanted as JSON lines; runs always are.
    json: bool
    #: Whether only the acceptance is answered, and the run goes on by itself.
    detached: bool
    reply_to: MasterQueue
    #: By the broker's clock: a command that has waited for a manager for longer than this is not carried out.
    expires_s: Count
    #: The width of the terminal that shows the output; 0 when it goes elsewhere.
    columns: Annotated[int, Meta(ge=0, le=10_000)] = 0
    version: Literal[1] = WIRE_VERSION

    def __post_init__(self) -> None:
        for option in self.options:
            match = _OPTION.fullmatch(option)
            if match is None or match[1] not in COMMANDS[self.command]:
                raise ValueError(f"{self.command} takes no {option.partition('=')[0][:40]!r} from a master")
        target = next((word for word in self.options if word.startswith("--target=")), "")
        if "/" in target or target == "--target=..":
            raise ValueError("a master names no folders: --target is the name of a [targets.NAME]")
        if any(word.startswith("--svg=") and word != "--svg=-" for word in self.options):
            raise ValueError("a master names no files: --svg takes - only")
        if self.detached and self.command not in RUNS:
            raise ValueError(f"{self.command} cannot be left alone")
        if self.command == STOP and (len(self.words) != 1 or not re.fullmatch(r"[0-9a-f]{32}", self.words[0])):
            raise ValueError("stop takes the id of a run")

    def arguments(self) -> list[str]:
        """The command line for the program; words that look like options stay words."""
        as_json = ["--json"] if self.json or self.command in RUNS else []
        return [*self.command.split(), *as_json, *self.options, "--", *self.words]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """Something that a command brought about: accepted or refused first, then lines or data, and the end.

    ``number`` counts the replies that must all arrive, once each, from 1; 0 is a reply that may be lost.  The text of
    ``data`` is base64 of bytes.
    """

    run_id: HexId
    kind: Literal["accepted", "refused", "out", "data", "err", "end"]
    text: Line = ""
    number: Count = 0
    exit_code: Annotated[int, Meta(ge=-255, le=255)] = 0
    version: Literal[1] = WIRE_VERSION


Message = TypeVar("Message", Command, Reply)


def decode_command(wire: Any) -> Command:
    """Raises MessageError for anything but a command of this version."""
    return _decode(Command, "command", wire)


def decode_reply(wire: Any) -> Reply:
    return _decode(Reply, "reply", wire)


def _decode(cls: type[Message], what: str, wire: Any) -> Message:
    if isinstance(wire, dict) and wire.get("version") != WIRE_VERSION:
        raise MessageError(
            f"{what}: message version {wire.get('version')!r}; this segfleet speaks {WIRE_VERSION}",
            hint="run the same release of segfleet on every host",
        )
    return decode(cls, wire)
