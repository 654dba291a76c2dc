"""Lost files are told in groups, by snapshot and device, and no more than can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.models.offline import Recorded
from producer.cli.call import Call
from producer.cli.show.live.lost_files import LostFiles, watched_for_losses
from producer.observer import Trouble
from tasks.errors import UsageError

SNAPSHOT = "0123456789abcdef" * 2


def lost(path: str, device: str = "b", message: str = "it is away") -> Trouble:
    return Trouble(code="device-absent", message=message, path=path, snapshot_id=SNAPSHOT, device=device)


def test_lost_files_are_told_at_the_end_by_snapshot_and_device() -> None:
    told = Recorded()
    losses = LostFiles(told, file=None, is_json=False)
    other = Trouble(code="device-absent", message="device b is absent")
    for trouble in (lost("", message="segment 1"), lost("x"), lost("z", device=""), other, lost("x"), lost("y\n")):
        losses.trouble(trouble)
    assert (told.notes, told.troubles) == ([], [other])

    losses.tell()

    assert told.notes == [
        "snapshot 01234567, device b: 2 files or folders in 1 segment cannot be restored as a whole",
        "  segment 1",
        "  x: it is away",
        "  y\\n: it is away",
        "snapshot 01234567: 1 file or folder cannot be restored as a whole",
        "  z: it is away",
    ]


def test_only_the_first_twenty_of_a_group_are_named() -> None:
    told = Recorded()
    losses = LostFiles(told, file=None, is_json=False)
    for number in range(226):
        losses.trouble(lost(f"{number:03}"))

    losses.tell()

    assert told.notes[0].startswith("snapshot 01234567, device b: 226 files")
    assert told.notes[1:21] == [f"  {number:03}: it is away" for number in range(20)]
    assert told.notes[21:] == ["  and 206 more: --lost-files FILE lists them all"]


def test_a_backup_names_the_check_that_lists_the_rest() -> None:
    told = Recorded()
    losses = LostFiles(told, file=None, is_json=False, has_option=False)
    for number in range(21):
        losses.trouble(lost(str(number)))

    losses.tell()

    assert told.notes[-1] == "  and 1 more: segfleet check 01234567 --lost-files FILE lists them all"


def test_the_list_has_all_of_them_on_lines_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for json in (False, True):
        with watched_for_losses(Call(json=json), str(tmp_path / "list")) as losses:
            losses.trouble(lost("a\tb"))
            losses.trouble(lost("c\n", device=""))
            losses.trouble(Trouble(code="vanished", message="", path="no loss of a snapshot"))
        assert (tmp_path / "list").read_text().splitlines() == [
            f"{SNAPSHOT}\tb\ta\\tb\tit is away",
            f"{SNAPSHOT}\t\tc\\n\tit is away",
        ]
    assert '"snapshot_id": "' + SNAPSHOT in capsys.readouterr().out


def test_a_list_that_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"), watched_for_losses(Call(), str(tmp_path / "no" / "list")):
        raise AssertionError


def test_what_a_check_has_named_for_one_snapshot_is_not_counted_for_the_next() -> None:
    told = Recorded()
    losses = LostFiles(told, file=None, is_json=False)
    for snapshot, path in (("0" * 32, "one"), ("1" * 32, "two")):
        losses.trouble(Trouble(code="absent", message="object x", snapshot_id=snapshot, device="b"))
        losses.trouble(Trouble(code="absent", message="in object x", path=path, snapshot_id=snapshot, device="b"))
    losses.trouble(Trouble(code="absent", message="object y", snapshot_id="2" * 32, device="b"))
    losses.tell()
    assert [line for line in told.notes if not line.startswith(" ")] == [
        "snapshot 00000000, device b: 1 file or folder in 1 segment cannot be restored as a whole",
        "snapshot 11111111, device b: 1 further file or folder in 1 segment cannot be restored as a whole",
        "snapshot 22222222, device b: something is lost in 1 segment, but of no further file",
    ]
