"""Files that a worker does not find: a worker of another agent tries before they count as vanished.

The source may not be mounted on the host of the first one.
"""

from __future__ import annotations

from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.segments.rows import SegmentRow
from producer.run.session import RunSession
from tasks.receipts import Receipt


class Vanished:
    def __init__(self, session: RunSession, state: BackupState) -> None:
        self._session = session
        self._state = state
        #: Segment number → the first receipt, while another device tries.
        self._first: dict[int, Receipt] = {}

    def settle(self, row: SegmentRow, receipt: Receipt) -> Receipt | None:
        """Which receipt of a stored segment counts; None: a device of another agent is to try first."""
        count, first = vanished_count(receipt), self._first.pop(row.number, None)
        if first is None:
            if not count or not self._others_may_see(receipt.device):
                return receipt
            self._first[row.number] = receipt
            return None
        if count < vanished_count(first):
            self._note_blind(first.device, row)
            return receipt
        if not self._state.members[first.device].is_live:
            return receipt
        self._state.move(receipt.device, {row.number: first.device})
        return first

    def _others_may_see(self, device: str) -> bool:
        """Whether another device has workers that may see another file system; our own all see the same."""
        is_shared = self._session.fleet.is_shared
        return any(
            member.name != device and member.sees_sources and (is_shared(member.name) or is_shared(device))
            for member in self._state.live
        )

    def _note_blind(self, device: str, row: SegmentRow) -> None:
        member = self._state.members[device]
        if member.sees_sources:
            member.sees_sources = False
            self._session.observer.note(
                f"device {device}: its worker does not find files that another one finds (first in segment "
                f"{row.number}); is the source mounted on its host?"
            )


def vanished_count(receipt: Receipt) -> int:
    return sum(note.trouble == "vanished" for note in receipt.result.notes)
