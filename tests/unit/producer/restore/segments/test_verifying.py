"""``--verify``: what was restored is read back from the disk and compared with the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import Entry, File, HardLink, Tree, noise
from tasks.orders import Order, RestoreSegment

LARGE = noise(300_000)
SOURCE: dict[str, Entry | bytes] = {
    "one": b"one",
    "closed": File(b"closed", mode=0o000),
    "empty": b"",
    "large": LARGE,
    "other name": HardLink("large"),
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path) as made:
        made.back_up({"data": Tree(SOURCE).make(tmp_path / "data")})
        yield made


def change_before_it_is_compared(made: InProcess, path: str, offset_bytes: int) -> None:
    """A bit of the file flips, and its time stays."""

    def change(order: Order) -> None:
        if isinstance(order, RestoreSegment) and order.compare:
            with open(made.target / path, "r+b") as file:
                file.seek(offset_bytes)
                file.write(b"!")

    made.before = change


def test_all_that_was_restored_is_compared(made: InProcess) -> None:
    summary = made.restore(verify=True)
    assert (summary.verified_files, summary.verified_bytes) == (3, len(LARGE) + len("oneclosed"))
    assert (summary.exit_code, made.troubles) == (0, [])
    assert (made.target / "data/closed").stat().st_mode & 0o777 == 0


def test_without_the_option_nothing_is_read_back(made: InProcess) -> None:
    assert made.restore().verified_bytes == 0
    assert not any(isinstance(order, RestoreSegment) and order.compare for order in made.orders)


@pytest.mark.parametrize(("path", "offset_bytes"), [("data/one", 1), ("data/large", 0), ("data/large", 200_000)])
def test_a_file_that_holds_something_else_is_named(made: InProcess, path: str, offset_bytes: int) -> None:
    change_before_it_is_compared(made, path, offset_bytes)
    summary = made.restore(verify=True)
    assert (summary.exit_code, made.troubles) == (3, [(path, "differs")])
    assert summary.verified_files == 2


def test_a_file_that_has_vanished_is_named(made: InProcess) -> None:
    def remove(order: Order) -> None:
        if isinstance(order, RestoreSegment) and order.compare:
            (made.target / "data/one").unlink(missing_ok=True)

    made.before = remove
    assert made.restore(verify=True).exit_code == 3
    assert made.troubles == [("data/one", "differs")]


def test_without_digests_the_stored_data_is_compared(made: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.restore.known_content.KnownContent._known", lambda *_: {})
    summary = made.restore(verify=True)
    assert (summary.verified_files, summary.verified_bytes) == (3, len(LARGE) + len("oneclosed"))
    change_before_it_is_compared(made, "data/large", 123_456)
    assert made.restore(verify=True, overwrite="if-changed").exit_code == 3
    assert made.troubles == [("data/large", "differs")]


def test_what_if_changed_has_kept_by_its_time_is_compared_too(made: InProcess) -> None:
    made.restore()
    change_before_it_is_compared(made, "data/one", 0)
    assert made.restore(verify=True, overwrite="if-changed").exit_code == 3


@pytest.mark.parametrize("overwrite", ["never", "if-newer"])
def test_what_is_another_file_and_stays_is_not_compared(made: InProcess, overwrite: str) -> None:
    made.restore()
    for name in ("one", "large"):
        (made.target / "data" / name).write_bytes(b"mine, and newer")
    summary = made.restore(verify=True, overwrite=overwrite)
    assert (summary.exit_code, made.troubles) == (0, [])
    assert (made.target / "data/one").read_bytes() == b"mine, and newer"
