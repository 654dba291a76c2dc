"""The target of a volume's image is made ready; when the order for it comes again, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.disks.raw_volumes import loop_device
from kit.tree import noise
from tasks.errors import RunOverError, TargetNotEmptyError
from tasks.orders import PrepareImage
from workers.target import image
from workers.target.image import ImageTarget, prepare_image

MIB = 1024 * 1024
SIZE_BYTES = 4 * MIB

#: [1, 2) and [3, 4) MiB of the volume are in no segment.
GAPS: dict[str, Any] = {"zero_offsets_bytes": (MIB, 3 * MIB), "zero_sizes_bytes": (MIB, MIB)}
OLD, PIECE = noise(5 * MIB, 1), noise(MIB, 2)


def prepare(target: Path, *, force: bool, before_write: Any = lambda: None) -> None:
    order = PrepareImage(
        run_id="1" * 32,
        order_id="2" * 32,
        device="a",
        device_id="d" * 32,
        epoch=0,
        attempt=1,
        reply_to="manager.m",
        target="t",
        size_bytes=SIZE_BYTES,
        force=force,
        **GAPS,
    )
    prepare_image(order, target_root=target, beat=lambda: None, before_write=before_write)


def write_piece(target: Path, offset_bytes: int) -> None:
    """As a worker of any device does once the target is ready."""
    file = ImageTarget(target).open()
    file.write(PIECE, 0, len(PIECE), offset_bytes, sparse=True)
    file.close()


def content_of(target: Path) -> bytes:
    with open(target, "rb") as file:
        return file.read(SIZE_BYTES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out.img"


@pytest.fixture(params=["file", "block device"])
def used(request: pytest.FixtureRequest, file: Path) -> Iterator[Path]:
    """A target that is full of something else."""
    if request.param == "file":
        file.write_bytes(OLD)
        yield file
    else:
        file.write_bytes(OLD[:SIZE_BYTES])
        with loop_device(file) as device:
            yield device


def test_an_order_that_comes_again_after_pieces_were_written_leaves_them(used: Path) -> None:
    prepare(used, force=True)
    write_piece(used, 0)
    write_piece(used, 2 * MIB)

    prepare(used, force=True)

    assert content_of(used) == PIECE + bytes(MIB) + PIECE + bytes(MIB)


def test_without_force_an_order_that_comes_again_after_a_piece_is_refused_and_leaves_it(file: Path) -> None:
    prepare(file, force=False)
    write_piece(file, 2 * MIB)

    with pytest.raises(TargetNotEmptyError):
        prepare(file, force=False)

    assert content_of(file) == bytes(2 * MIB) + PIECE + bytes(MIB)


def test_without_force_an_order_whose_first_answer_was_lost_is_carried_out_again(file: Path) -> None:
    prepare(file, force=False)
    prepare(file, force=False)

    assert file.stat().st_size == SIZE_BYTES
    assert file.stat().st_blocks == 0


def test_a_target_that_holds_something_is_refused_without_force_and_stays_as_it_is(used: Path) -> None:
    with pytest.raises(TargetNotEmptyError):
        prepare(used, force=False)

    assert content_of(used) == OLD[:SIZE_BYTES]


@pytest.mark.parametrize("old_size_bytes", [5 * MIB, 2 * MIB + 1])
def test_an_older_file_gets_the_size_of_the_volume_and_holes_where_it_has_zeros(
    file: Path, old_size_bytes: int
) -> None:
    file.write_bytes(OLD[:old_size_bytes])

    prepare(file, force=True)

    assert file.stat().st_size == SIZE_BYTES
    assert file.stat().st_blocks * 512 <= 2 * MIB + 65_536
    content = content_of(file)
    assert content[MIB : 2 * MIB] == content[3 * MIB :] == bytes(MIB)


def test_when_the_run_ends_meanwhile_nothing_more_is_zeroed(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "STEP_BYTES", MIB)
    calls = iter([None, RunOverError("the run has ended")])

    def before_write() -> None:
        error = next(calls)
        if error is not None:
            raise error

    with pytest.raises(RunOverError):
        prepare(used, force=True, before_write=before_write)

    assert content_of(used) == OLD[:MIB] + bytes(MIB) + OLD[2 * MIB : SIZE_BYTES]
