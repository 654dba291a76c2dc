"""Segments whose try failed: what is tried again, where, and what is given up."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec.structs import replace

from producer.backup.storing.failing.losses import Losses
from producer.backup.storing.failing.retry import NextStep, judge, wait_before_s
from producer.backup.storing.recorder import Failed
from producer.backup.storing.state.in_flight import NextTry
from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.segments.rows import SegmentRow
from producer.observer import Trouble
from producer.pool.members import Member
from producer.run.session import RunSession
from tasks.errors import Reason


class Failures:
    """Decides after each failed try, by the pure rules of ``retry``, and carries that out."""

    def __init__(self, session: RunSession, state: BackupState, losses: Losses, *, retries_count: int) -> None:
        self._session = session
        self._state = state
        self._losses = losses
        self._retries_count = retries_count

    def handle(self, failed: Sequence[Failed], *, probed: bool = False) -> None:
        """Decide about failures that are in the catalog already.

        ``probed``: their device has been asked since, and is well.  Raises DeviceError when no device is left.
        """
        for failure in failed:
            self._handle_one(failure, probed=probed)

    def _handle_one(self, failed: Failed, *, probed: bool) -> None:
        device, failure = failed.receipt.device, failed.failure
        # The order may have moved here from another device that died.
        row = replace(failed.row, device=device)
        if not self._state.members[device].is_live:
            self._losses.move(device, [row.number])
            return
        if failed.elsewhere:
            self._state.waiting[row.number] = NextTry(row=row, due_s=time.monotonic(), elsewhere=True)
            return
        step = judge(failure.reason, attempt=failed.receipt.attempt, retries_count=self._retries_count, probed=probed)
        if step is NextStep.DEVICE_FULL and row.number in self._state.displaced:
            # Room for what may stay where it is is no reason to lose a device, which is to take the manifest.
            self._state.keep(row.number)
            self._state.members[device].free_bytes = 0
        elif step is NextStep.DEVICE_FULL and self._state.dead and len(self._state.live) == 1:
            # Nor is there another one to take it.
            self._state.members[device].free_bytes = 0
            self._losses.move(device, [row.number])
        elif step is NextStep.DEVICE_FULL:
            self._losses.lose(device, "full", failure.message)
        elif step is NextStep.PROBE:
            self._losses.probe(failed)
        elif step is NextStep.GIVE_UP:
            self._give_up(failed)
        else:
            self._retry(row, failed, elsewhere=step is NextStep.RETRY_ELSEWHERE)

    def _give_up(self, failed: Failed) -> None:
        message = failed.failure.message
        if failed.row.number in self._state.displaced:
            # It is stored, though on a device that is gone: the snapshot is incomplete, and the run need not fail.
            self._state.keep(failed.row.number)
            return
        self._state.given_up[failed.row.number] = message
        self._session.observer.trouble(
            Trouble(code=failed.failure.code, message=f"segment {failed.row.number} given up: {message}")
        )

    def _retry(self, row: SegmentRow, failed: Failed, *, elsewhere: bool) -> None:
        if elsewhere and failed.failure.reason is Reason.SOURCE and len(self._state.live) > 1:
            self._note_blind(self._state.members[row.device], failed.failure.message)
        due_s = time.monotonic() + wait_before_s(failed.receipt.attempt)
        self._state.waiting[row.number] = NextTry(row=row, due_s=due_s, elsewhere=elsewhere)

    def _note_blind(self, member: Member, why: str) -> None:
        if member.sees_sources:
            member.sees_sources = False
            self._session.observer.note(f"device {member.name}: {why}; other devices store its share of that source")

    def retry_due(self) -> None:
        """Plan again the segments whose wait is over, on devices that live now."""
        now_s = time.monotonic()
        for number, next_try in list(self._state.waiting.items()):
            if next_try.due_s <= now_s:
                row = next_try.row
                target = self._elsewhere(row) if next_try.elsewhere else row.device
                self._state.move(row.device, {number: target})

    def _elsewhere(self, row: SegmentRow) -> str:
        """The least-filled other live device.

        Rather one with room whose workers have found all sources so far, on another host.
        """
        host, live = self._state.members[row.device].host, self._state.live
        return min(
            [member for member in live if member.name != row.device] or live,
            key=lambda member: (
                not member.sees_sources,
                member.room_bytes < row.size_bytes,
                member.host == host,
                self._state.load_bytes(member.name),
                member.name,
            ),
        ).name
