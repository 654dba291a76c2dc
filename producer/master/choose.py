"""Which manager carries out a command: the one named, else the one that has the volume."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import redis

from producer.broker import without_password
from producer.host.behalf import HERE
from producer.manager.presence import MANAGER_PREFIX, Presence, managers
from tasks.broker.leases import redis_client, this_release
from tasks.errors import BrokerError, SegfleetError
from tasks.orders import WIRE_VERSION

#: How long to wait for a manager to appear, and for its answer.
ANSWER_S = 5.0

_LOOK_EVERY_S = 0.2


class NoManagerError(SegfleetError):
    """The command needs a manager that is not there, or does not answer."""

    code = "no-manager"
    hint = "start it on its host with: segfleet manager NAME"


def choose_manager(url: str, name: str | None, volume: str, sources: Iterable[str] = ()) -> Presence | None:
    """The manager for the command; None when it is to be carried out here.

    ``name`` is what the operator said, ``volume`` what the command is about, "" when it is about none.  A volume that
    is new goes to the manager that has its ``sources``.  Nobody named and no manager there means here.  Raises
    NoManagerError within ANSWER_S, BrokerError.
    """
    if name == HERE:
        return None
    found = _managers(url)
    if name:
        chosen = _wait_for(url, name, found)
    elif not found:
        return None
    else:
        chosen = _owner(url, volume, frozenset(sources), found)
    if chosen.wire != WIRE_VERSION:
        raise NoManagerError(
            f"manager {chosen.name} is segfleet {chosen.release} (messages {chosen.wire}), and this is segfleet "
            f"{this_release()} (messages {WIRE_VERSION})",
            hint="run releases with the same version of messages on all hosts",
        )
    return chosen


def _wait_for(url: str, name: str, found: Mapping[str, Presence]) -> Presence:
    deadline = time.monotonic() + ANSWER_S
    while name not in found and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
        found = _managers(url)
    if name not in found:
        raise NoManagerError(
            f"no manager {name} within {ANSWER_S:.0f} s at {where(url, name)}; there is {_in_words(found)}",
        )
    return found[name]


def _owner(url: str, volume: str, sources: frozenset[str], found: Mapping[str, Presence]) -> Presence:
    owners = [presence for presence in found.values() if not volume or volume in presence.volumes]
    if not owners and sources:
        owners = [presence for presence in found.values() if sources <= set(presence.volumes)]
    if len(owners) == 1:
        return owners[0]
    if not volume:
        what = "several managers could carry this out"
    else:
        what = f"{'several managers have' if owners else 'no manager has'} volume {volume}"
    raise NoManagerError(
        f"{what}: {without_password(url)} has {_in_words(found)}",
        hint="choose one with --manager NAME",
    )


def where(url: str, name: str) -> str:
    return f"{without_password(url)}, key {MANAGER_PREFIX}{name}"


def _in_words(found: Mapping[str, Presence]) -> str:
    if not found:
        return "no manager"
    return "; ".join(f"{row.name} on {row.host} (volumes {', '.join(row.volumes) or 'none'})" for row in found.values())


def lost_run(manager: str, run_id: str, *, has_manager: bool) -> NoManagerError:
    """Nobody carries out the run any longer, or can say how it ended."""
    if has_manager:
        return NoManagerError(
            f"manager {manager} does not know run {run_id[:8]}",
            hint=f"its history may have it: segfleet history --manager {manager}",
        )
    return NoManagerError(
        f"manager {manager} is gone while run {run_id[:8]} is unfinished",
        hint=f"start it again on its host, and it resumes the run: segfleet manager {manager}",
    )


def is_there(client: redis.Redis, name: str) -> bool:
    """Whether the broker knows that the manager lives; raises redis.RedisError."""
    return name in managers(client)


def _managers(url: str) -> dict[str, Presence]:
    client = redis_client(url)
    try:
        return managers(client)
    except (redis.RedisError, OSError) as error:
        raise BrokerError(f"cannot look for managers at {without_password(url)}: {error}") from error
    finally:
        client.close()
