"""What happens to the older snapshots of a volume after a scheduled backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.commands.retention.prune import prune_now
from producer.cli.commands.schedule.words import bounds_of
from producer.cli.options.known_devices import all_devices
from producer.cli.show.json_lines import write_error, write_row
from producer.cli.show.live.notes import NotesObserver
from producer.cli.show.wrapped import say, warn
from tasks.errors import LockedError, SegfleetError

if TYPE_CHECKING:
    from producer.requests import Retention
    from producer.retention.decisions import Decision
    from producer.schedule.asked import Asked


def keep_in_bounds(call: Call, asked: Asked, volume: str) -> bool:
    """Forget what the reservation or the configuration does not keep of the volume, and prune if they say so.

    Returns whether that went well.  An error is reported and ends nothing: the backup is done.
    """
    try:
        retention, prunes = bounds_of(asked, volume, call)
        if retention is not None:
            _forget(call, volume, retention, prunes=prunes)
        return not prunes or prune_now(call, {}) == 0
    except LockedError as error:
        # Somebody else prunes, or has begun the next backup, which will come by here.
        _note(f"volume {volume}: {error.message}")
        return True
    except SegfleetError as error:
        message = f"volume {volume} is backed up, but old snapshots were not forgotten: {error.message}"
        if call.json:
            write_error(error.code, message)
        _note(message)
        return False


def _forget(call: Call, volume: str, retention: Retention, *, prunes: bool) -> None:
    from producer.retention.forget import ForgetRequest, forget

    # Before the first snapshot with the tag there is none.
    devices = {} if prunes else all_devices(call)
    request = ForgetRequest(retentions={volume: retention}, devices=devices, allows_unknown_tags=True)
    (decision,) = forget(request, NotesObserver(call), call.environment(reads=bool(devices)))
    _show(call, decision)


def _show(call: Call, decision: Decision) -> None:
    # Only a process that forgets needs the catalog's rows.
    from producer.cli.show.rows.verdicts import verdict_rows

    for kept in (kept for kept in decision.kept if kept.is_in_use):
        _note(f"snapshot {kept.row.snapshot_id[:8]} stays: it is {kept.reasons[0]}")
    if call.json:
        for row in verdict_rows([decision]):
            if row["verdict"] == "forget":
                write_row(row)
    elif decision.forgotten and not call.quiet:
        count = len(decision.forgotten)
        say(
            f"volume {decision.volume}: {count} older {'snapshot' if count == 1 else 'snapshots'} forgotten, "
            f"{len(decision.kept)} kept"
        )


def _note(text: str) -> None:
    warn(f"segfleet: {text}")
