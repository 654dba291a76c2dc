"""A large file that changes between two of its segments is stored again, and told when it never holds still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.models.offline import Offline, backup_request, offline
from kit.tree import Tree, noise
from producer.backup.changed_files import are_of_one_file, record_restless_files, store_changed_again
from producer.backup.intake.intake import Intake
from producer.catalog.columns import JsonObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.troubles import TroubleRow

KIB = 1024
SIZE_BYTES = 150 * KIB

#: What a piece's receipt says of its file, by the number of the round and the place of the piece.
Sees = Callable[[int, int], JsonObject]


def state(size_bytes: int = SIZE_BYTES, mtime_ns: int = 1) -> JsonObject:
    return {"size_bytes": size_bytes, "mtime_ns": mtime_ns, "ctime_ns": 1}


class Rounds:
    """Stores what is planned, round by round, with file states as a test says."""

    def __init__(self, run: Offline, intake: Intake, source: Path) -> None:
        self.run = run
        self.intake = intake
        self.source = source
        self.count = 0
        self._sees: Sees = lambda turn, place: state()

    def settle(self, sees: Sees) -> None:
        self._sees = sees
        self.store()
        self.settle_again()

    def settle_again(self) -> None:
        store_changed_again(self.run.session, self.run.state, self.store)
        record_restless_files(self.run.session, self.run.state.snapshot_id)

    def store(self) -> None:
        self.count += 1
        for place, row in enumerate(row for row in self.rows() if row.state == "planned"):
            self.run.catalog.transitions.record_stored(
                row.snapshot_id,
                row.number,
                device=row.device,
                device_id=self.intake.members[row.device].device_id,
                epoch=0,
                bytes_stored=1,
                file_state=self._sees(self.count, place) if row.stop_entry - row.first_entry == 1 else None,
                object_id=row.segment_id,
                trailer_digest=b"t" * 32,
            )

    def rows(self) -> list[SegmentRow]:
        return list(self.run.catalog.segments.valid(self.intake.snapshot_id))

    def troubles(self) -> list[TroubleRow]:
        return self.run.catalog.troubles.all(self.intake.snapshot_id)


@pytest.fixture
def rounds(tmp_path: Path) -> Iterator[Rounds]:
    """A file in pieces, and a bundle beside it."""
    source = Tree({"a": b"12345", "b": b"67890", "large": noise(SIZE_BYTES)}).make(tmp_path / "data")
    with offline(tmp_path) as run:
        yield Rounds(run, run.plan(backup_request({"data": source})), source)


def test_pieces_that_saw_the_same_file_are_left_alone(rounds: Rounds) -> None:
    before = [row.segment_id for row in rounds.rows()]
    rounds.settle(lambda turn, place: state())
    assert rounds.count == 1
    assert [row.segment_id for row in rounds.rows()] == before
    assert rounds.troubles() == []


def test_a_file_that_changed_in_between_is_stored_again_whole_under_new_ids(rounds: Rounds) -> None:
    before = {row.segment_id: row for row in rounds.rows()}
    rounds.settle(lambda turn, place: state(mtime_ns=place if turn == 1 else 9))
    assert rounds.count == 2
    after = {row.segment_id: row for row in rounds.rows()}
    (bundle,) = (row for row in before.values() if row.stop_entry - row.first_entry > 1)
    assert before.keys() & after.keys() == {bundle.segment_id}
    assert all(row.state == "stored" for row in after.values())
    pieces = sorted((row.offset_bytes, row.size_bytes) for row in after.values() if row is not after[bundle.segment_id])
    assert pieces == sorted((row.offset_bytes, row.size_bytes) for row in before.values() if row is not bundle)
    assert rounds.troubles() == []
    assert "stored again" in rounds.run.observer.notes[-1]


def test_a_file_that_never_holds_still_is_told_once_and_the_backup_ends(rounds: Rounds) -> None:
    rounds.settle(lambda turn, place: state(mtime_ns=10 * turn + place))
    assert rounds.count == 3
    (trouble,) = rounds.troubles()
    assert (trouble.code, trouble.path) == ("changed", str(rounds.source / "large"))
    assert "different times" in trouble.message
    assert [told.path for told in rounds.run.observer.troubles] == [trouble.path]


def test_a_file_that_grew_after_the_walk_is_told_with_both_sizes(rounds: Rounds) -> None:
    rounds.settle(lambda turn, place: state(size_bytes=SIZE_BYTES + 7))
    (trouble,) = rounds.troubles()
    assert f"grew from {SIZE_BYTES} to {SIZE_BYTES + 7} bytes" in trouble.message


def test_settling_twice_tells_a_file_once(rounds: Rounds) -> None:
    rounds.settle(lambda turn, place: state(size_bytes=SIZE_BYTES + 7))
    rounds.settle_again()
    assert len(rounds.troubles()) == 1


def test_what_the_first_reading_said_of_the_file_is_forgotten_when_it_is_stored_again(rounds: Rounds) -> None:
    (entry,) = {row.first_entry for row in rounds.rows() if row.stop_entry - row.first_entry == 1}
    other = TroubleRow(entry_index=1, path="/other", code="changed", message="")
    rounds.run.catalog.troubles.add(
        rounds.intake.snapshot_id, [TroubleRow(entry_index=entry, path="/large", code="changed", message=""), other]
    )
    rounds.settle(lambda turn, place: state(mtime_ns=place if turn == 1 else 9))
    assert rounds.troubles() == [other]


def test_the_pieces_of_a_device_that_is_lost_go_to_one_that_lives(rounds: Rounds) -> None:
    before = {row.number for row in rounds.rows()}
    rounds.intake.members["a"].state = "dead"
    rounds.settle(lambda turn, place: state(mtime_ns=place if turn == 1 else 9))
    assert {row.device for row in rounds.rows() if row.number not in before} == {"b"}
    assert rounds.count == 2


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("mtimes_ns", "agree"),
    [
        ([5 * SECOND + 123_456_789, 5 * SECOND + 123_456_700], True),  # here, and over SMB
        ([5 * SECOND, 5 * SECOND + 123_456_789, 5 * SECOND + 123_456_700], True),
        ([4 * SECOND, 5 * SECOND + 123_456_789], True),  # FAT
        ([5 * SECOND, 6 * SECOND], False),
        ([5 * SECOND + 123_456_788, 5 * SECOND + 123_456_789], False),
        ([5 * SECOND, 5 * SECOND + 200, 5 * SECOND + 300], False),
    ],
)
def test_pieces_agree_within_the_coarser_grain_of_the_clocks(mtimes_ns: list[int], agree: bool) -> None:
    states = [state(mtime_ns=mtime_ns) for mtime_ns in mtimes_ns]

    assert are_of_one_file(states) == are_of_one_file(states[::-1]) == agree
    assert not are_of_one_file([*states, state(SIZE_BYTES - 1, mtimes_ns[0])])


def test_a_time_of_change_that_is_not_shown_proves_nothing() -> None:
    unknown = {**state(), "ctime_ns": None}

    assert are_of_one_file([unknown, state(), unknown])
    assert not are_of_one_file([unknown, state(), {**state(), "ctime_ns": 7}])


def test_a_file_read_through_clocks_of_different_grain_is_stored_once(rounds: Rounds) -> None:
    rounds.settle(lambda turn, place: state(mtime_ns=(5 * SECOND + 17, 5 * SECOND)[place % 2]))

    assert (rounds.count, rounds.troubles()) == (1, [])
