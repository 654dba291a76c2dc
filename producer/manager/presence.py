"""Which managers live and what their runs do: keys in the broker that every host can read."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
import redis
from msgspec import Struct, field

from tasks.bounded_json import dump_json, load_json
from tasks.errors import MessageError

MANAGER_PREFIX = "segfleet.manager."
RUN_PREFIX = "segfleet.run."

#: Renewed every second; expires when the manager is gone.
PRESENCE_LIFE_S = 6.0

#: How long a run can be looked up.
_RUN_LIFE_S = 14 * 24 * 3600


class Presence(Struct, frozen=True, kw_only=True):
    """What a manager says about itself."""

    name: str
    host: str
    pid: int
    release: str
    wire: int
    volumes: tuple[str, ...]
    since: str

    def is_same_process(self, other: Presence) -> bool:
        return (self.host, self.pid, self.since) == (other.host, other.pid, other.since)


RunState = Literal["running", "done", "failed", "interrupted"]


class RunStatus(Struct, frozen=True, kw_only=True):
    """The last known progress of one run.  Times are RFC 3339, UTC, or ""."""

    run_id: str
    manager: str
    command: str
    #: The command's words: sources, or a snapshot.
    words: tuple[str, ...]
    state: RunState
    started: str
    ended: str = ""
    exit_code: int | None = None
    reason: str = ""
    snapshot_id: str = ""
    #: The last status line of the run.
    progress: dict[str, Any] = field(default_factory=dict)


Kept = TypeVar("Kept", Presence, RunStatus)


def claim(client: redis.Redis, presence: Presence) -> bool:
    """Whether no other manager of this name lives; it is this one's then.  Raises redis.RedisError."""
    return bool(client.set(MANAGER_PREFIX + presence.name, _bytes(presence), px=_life_ms(), nx=True))


def renew(client: redis.Redis, presence: Presence) -> bool:
    """Write it for another PRESENCE_LIFE_S; raises redis.RedisError.

    A manager whose key ran out, because its host slept, may find that another one has claimed its name since: then
    nothing is written, and the answer is False.
    """
    if _is_another_s(client, presence):
        return False
    client.set(MANAGER_PREFIX + presence.name, _bytes(presence), px=_life_ms())
    return True


def give_up(client: redis.Redis, presence: Presence) -> None:
    """Delete the key of a manager that ends, so that nobody waits for it to run out; another manager's stays."""
    if not _is_another_s(client, presence):
        client.delete(MANAGER_PREFIX + presence.name)


def _is_another_s(client: redis.Redis, presence: Presence) -> bool:
    holder = _read(client.get(MANAGER_PREFIX + presence.name), Presence)
    return holder is not None and not holder.is_same_process(presence)


def managers(client: redis.Redis) -> dict[str, Presence]:
    """Every living manager by its name; raises redis.RedisError."""
    found = _read_all(client, MANAGER_PREFIX, Presence)
    return {presence.name: presence for presence in sorted(found, key=lambda presence: presence.name)}


def tell_run(client: redis.Redis, status: RunStatus) -> None:
    client.set(RUN_PREFIX + status.run_id, _bytes(status), ex=_RUN_LIFE_S)


def runs(client: redis.Redis, prefix: str = "") -> list[RunStatus]:
    """The runs whose ids begin with ``prefix``, the newest first; raises redis.RedisError."""
    return sorted(_read_all(client, RUN_PREFIX + prefix, RunStatus), key=lambda run: run.started, reverse=True)


def _read_all(client: redis.Redis, prefix: str, cls: type[Kept]) -> list[Kept]:
    # Names and run ids contain no wildcards.
    keys = list(client.scan_iter(match=f"{prefix}*", count=1000))
    values = client.mget(keys) if keys else []
    return [value for value in (_read(raw, cls) for raw in values) if value is not None]


def _read(raw: Any, cls: type[Kept]) -> Kept | None:
    """None for a key that has gone meanwhile, or was written by something else."""
    try:
        return msgspec.convert(load_json(raw), cls) if raw is not None else None
    except (MessageError, msgspec.ValidationError):
        return None


def _bytes(value: Presence | RunStatus) -> bytes:
    return dump_json(msgspec.to_builtins(value))


def _life_ms() -> int:
    return int(PRESENCE_LIFE_S * 1000)
