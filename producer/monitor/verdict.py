"""One answer to "is everything backed up?", and each problem with its reason and the command that mends it.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from msgspec import Struct

from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.reservations import ReservationRow
from producer.catalog.tables.runs import RunRow
from producer.configuration.values.ages import format_age
from producer.monitor.expected import Expected
from producer.monitor.freshness import why_stale
from producer.monitor.overview import VolumeStatus

#: green: all is well; yellow: look at it soon; red: something is not backed up, or cannot be restored as a whole.
Colour = Literal["green", "yellow", "red"]
ProblemKind = Literal[
    "overdue",
    "failed",
    "interrupted",
    "partial",
    "incomplete",
    "device",
    "damaged",
    "unchecked",
    "schedule",
    "upkeep-failed",
    "upkeep-overdue",
]

#: A scheduled run that nobody has begun by then is overdue: longer than anybody waits before it counts as missed.
OVERDUE_AFTER = timedelta(minutes=30)
UNCHECKED_AFTER = timedelta(days=30)

_PARTIAL = 3
_OF_DEVICES: dict[str, Colour] = {
    "dead": "red",
    "suspect": "yellow",
    "absent": "yellow",
    "read-only": "yellow",
    "full": "yellow",
}


class Problem(Struct, frozen=True, kw_only=True):
    kind: ProblemKind
    colour: Colour
    #: The volume or the device that has it, "check" or "prune" of a schedule; "" for a problem of all.
    subject: str
    #: A sentence without its full stop.
    reason: str
    #: The command that mends it, or shows more.
    remedy: str
    #: The reason without the words of an operating system, for the verdict; "" where it has none.
    headline: str = ""


class Verdict(Struct, frozen=True, kw_only=True):
    colour: Colour
    sentence: str
    #: The worst first.
    problems: tuple[Problem, ...]


def verdict(
    volumes: Sequence[VolumeStatus],
    devices: Iterable[DeviceRow],
    last_check: RunRow | None,
    now: datetime,
    expected: Expected | None = None,
    upkeep: Sequence[ReservationRow] = (),
) -> Verdict:
    """``last_check``: the newest check that has ended; None if there was none.

    ``upkeep``: scheduled checks and prunes.  ``expected``: by the configuration; None: nothing.
    """
    expected = expected or Expected()
    found = [
        *(problem for volume in volumes for problem in _of_volume(volume, now)),
        *(problem for device in devices for problem in _of_device(device, now)),
        *_of_ages(volumes, expected.max_ages, now),
        *_of_schedules([*chain.from_iterable(row.reservations for row in volumes), *upkeep], expected.schedules),
        *_of_upkeep(upkeep, now),
        *_of_checks(volumes, last_check, now),
    ]
    problems = tuple(sorted(found, key=lambda problem: problem.colour != "red"))
    is_all_there = bool(volumes) and all(volume.sealed is not None for volume in volumes)
    colour: Colour = problems[0].colour if problems else "green" if is_all_there else "yellow"
    return Verdict(colour=colour, sentence=_sentence(volumes, problems, now), problems=problems)


def _sentence(volumes: Sequence[VolumeStatus], problems: Sequence[Problem], now: datetime) -> str:
    if not problems:
        return _without_problems(volumes, now)
    first, more = problems[0], len(problems) - 1
    others = f", and {more} more problem{'s' if more > 1 else ''}" if more else ""
    said = first.headline or first.reason
    return f"{said[:1].upper()}{said[1:]}{others}."


def _without_problems(volumes: Sequence[VolumeStatus], now: datetime) -> str:
    begun = [volume.good_at for volume in volumes if volume.good_at is not None]
    missing = len(volumes) - len(begun)
    if not begun:
        return "Nothing has been backed up yet."
    if missing:
        return f"{missing} of {len(volumes)} volumes {'has' if missing == 1 else 'have'} no backup yet."
    age = format_age(now - min(begun))
    if len(volumes) == 1:
        return f"1 volume is backed up; the last backup is {age} old."
    return f"All {len(volumes)} volumes are backed up; the oldest backup is {age} old."


def _of_volume(row: VolumeStatus, now: datetime) -> Iterator[Problem]:
    yield from _of_last_run(row)
    yield from _of_schedule(row, now)
    for lack in row.lacking:
        why = f"they are damaged on device {lack.device}" if lack.damaged else f"device {lack.device} is away"
        why = f"device {lack.device} is lost" if lack.lost else why
        why = why if lack.device else "its manifest is damaged on all devices"
        reason = f"{lack.files} files of volume {row.volume} cannot be restored: {why}"
        yield _of(row, "incomplete", "red", reason, _again(row) if lack.lost or lack.damaged else "segfleet devices")


def _of_last_run(row: VolumeStatus) -> Iterator[Problem]:
    """What the last backup that ended says; the one that runs now may mend it, but has not yet."""
    volume, last = row.volume, row.last_ended
    why = str((last.summary or {}).get("error", "")) if last is not None else ""
    because = f": {why}" if why else ""
    if row.state == "interrupted":
        yield _of(row, "interrupted", "yellow", f"the backup of volume {volume} was interrupted", "segfleet resume")
    elif last is not None and last.exit_code == _PARTIAL:
        errors = (last.summary or {}).get("errors", "some")
        reason = f"the last backup of volume {volume} is partial: {errors} files could not be backed up as they are"
        yield _of(row, "partial", "yellow", reason, f"segfleet history {shlex.quote(volume)}")
    elif last is not None and last.exit_code not in (0, 130):
        yield _of(row, "failed", "red", f"the last backup of volume {volume} failed{because}", _again(row))
    elif row.sealed is None and row.state == "failed":
        yield _of(row, "failed", "red", f"the backup of volume {volume} failed{because}", _again(row))


def _of_schedule(row: VolumeStatus, now: datetime) -> Iterator[Problem]:
    for due in row.reservations:
        late = now - due.next_due
        if late > OVERDUE_AFTER and due.last_outcome != "running" and row.lock is None:
            reason = f"volume {row.volume} is overdue: it should have been backed up {format_age(late)} ago"
            yield _of(row, "overdue", "red", reason, "segfleet schedule run-due")
        elif due.last_outcome == "missed":
            reason = f"volume {row.volume} was not backed up when it was due: {due.last_message}"
            yield _of(row, "overdue", "red", reason, _again(row))
        elif due.last_outcome == "failed" and _is_newer_than_run(row, due.last_ended_at):
            reason = f"the scheduled backup of volume {row.volume} failed: {due.last_message}"
            yield _of(row, "failed", "red", reason, "segfleet schedule list")


def _is_newer_than_run(row: VolumeStatus, ended_at: datetime | None) -> bool:
    """Whether the schedule ended after the last run that the history has: its run never began."""
    run_ended_at = row.last_ended.ended_at if row.last_ended is not None else None
    return run_ended_at is None or (ended_at is not None and ended_at - run_ended_at > timedelta(minutes=1))


def _of_ages(volumes: Sequence[VolumeStatus], max_ages: Mapping[str, timedelta], now: datetime) -> Iterator[Problem]:
    for row in volumes:
        max_age = max_ages.get(row.volume)
        if max_age is not None and row.lock is None and (why := why_stale(row, max_age, now)):
            yield _of(row, "overdue", "red", why, f"segfleet backup --volume {row.volume}")


def _of_upkeep(rows: Iterable[ReservationRow], now: datetime) -> Iterator[Problem]:
    for due in rows:
        kind, late = str(due.request.get("kind", "")), now - due.next_due
        if due.last_outcome == "failed":
            reason = f"the scheduled {kind} failed: {due.last_message}"
            yield Problem(kind="upkeep-failed", colour="red", subject=kind, reason=reason, remedy=f"segfleet {kind}")
        elif late > OVERDUE_AFTER and due.last_outcome != "running":
            reason = f"the scheduled {kind} is overdue: it should have begun {format_age(late)} ago"
            remedy = "segfleet schedule run-due"
            yield Problem(kind="upkeep-overdue", colour="yellow", subject=kind, reason=reason, remedy=remedy)


def _of_schedules(reservations: Iterable[ReservationRow], schedules: Iterable[str]) -> Iterator[Problem]:
    known = {reservation.request.get("schedule") for reservation in reservations}
    for name in schedules:
        if name not in known:
            reason = f"nothing runs [schedules.{name}]: no manager is running, and nothing calls run-due"
            yield Problem(
                kind="schedule", colour="yellow", subject=name, reason=reason, remedy="segfleet schedule run-due"
            )


def _again(row: VolumeStatus) -> str:
    if row.sealed is None:
        return "segfleet resume"
    sources = " ".join(shlex.quote(source.path) for source in row.sealed.sources)
    return f"segfleet backup {sources} --volume {shlex.quote(row.volume)}"


def _of(row: VolumeStatus, kind: ProblemKind, colour: Colour, reason: str, remedy: str) -> Problem:
    return Problem(kind=kind, colour=colour, subject=row.volume, reason=reason, remedy=remedy)


def _of_device(device: DeviceRow, now: datetime) -> Iterator[Problem]:
    colour = _OF_DEVICES.get(device.state)
    if colour is None or device.is_expected_away:
        return
    headline = f"device {device.name} has been {device.state} for {format_age(now - device.since)}"
    yield Problem(
        kind="device",
        colour=colour,
        subject=device.name,
        reason=f"{headline}: {device.why}" if device.why else headline,
        headline=headline,
        remedy="segfleet devices",
    )


def _of_checks(volumes: Sequence[VolumeStatus], last: RunRow | None, now: datetime) -> Iterator[Problem]:
    sealed = [volume.sealed.started_at for volume in volumes if volume.sealed is not None]
    if last is not None and last.exit_code == _PARTIAL:
        errors = (last.summary or {}).get("errors", "some")
        found = "1 error" if errors == 1 else f"{errors} errors"
        reason = f"the last check found {found}, {format_age(now - last.started_at)} ago"
        yield Problem(kind="damaged", colour="red", subject="", reason=reason, remedy="segfleet check")
    elif sealed and last is None and now - min(sealed) > UNCHECKED_AFTER:
        yield _unchecked("nothing has ever been checked")
    elif sealed and last is not None and now - last.started_at > UNCHECKED_AFTER:
        yield _unchecked(f"nothing has been checked for {format_age(now - last.started_at)}")


def _unchecked(reason: str) -> Problem:
    return Problem(kind="unchecked", colour="yellow", subject="", reason=reason, remedy="segfleet check --read-data")
