"""A worker that syncs or zeroes a large target shows that it moves; one that hangs does not, after a while."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from pathlib import Path

import pytest

from kit.deadlines import DEADLINE_S, eventually
from tasks.errors import TargetError
from tasks.orders import PrepareImage
from workers.devices.local import writeback
from workers.target import image, syncing
from workers.target.beating import beating
from workers.target.image import prepare_image

STEP = 65_536


class Beats:
    def __init__(self) -> None:
        self.count = 0
        self.came = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self.came.set()


@pytest.fixture
def beats() -> Beats:
    return Beats()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image of 10 steps."""
    monkeypatch.setattr(syncing, "STEP_BYTES", STEP)
    monkeypatch.setattr(image, "STEP_BYTES", STEP)
    made = tmp_path / "out.img"
    made.write_bytes(b"x" * 10 * STEP)
    return made


def finish(target: Path, beats: Beats) -> None:
    order = PrepareImage(
        run_id="1" * 32,
        order_id="2" * 32,
        device="a",
        device_id="d" * 32,
        epoch=0,
        attempt=1,
        reply_to="manager.m",
        target="t",
        size_bytes=10 * STEP,
        zero_offsets_bytes=(),
        zero_sizes_bytes=(),
        force=True,
        finish=True,
    )
    assert prepare_image(order, target_root=target, beat=beats).files_count == 1


def test_each_step_of_a_sync_is_a_beat(target: Path, beats: Beats) -> None:
    finish(target, beats)
    assert beats.count == 10


def test_a_long_fsync_beats_until_it_returns(target: Path, beats: Beats, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_fd: int) -> None:
        beats.came.clear()
        assert beats.came.wait(DEADLINE_S)

    monkeypatch.setattr(os, "fsync", fsync)
    finish(target, beats)
    assert not [thread for thread in threading.enumerate() if thread.name == "beating"]


def test_a_call_that_does_not_return_ceases_to_beat(beats: Beats) -> None:
    with beating(beats, longest_s=0.0):
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "beating")
        eventually(lambda: not thread.is_alive(), "the beating ends by itself")
        assert beats.count == 0


def test_a_disk_that_does_not_take_a_step_fails_the_restore(
    target: Path, beats: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells an error of writing once: to the step, not to the fsync."""

    def fails(_fd: int, offset_bytes: int, _size_bytes: int, _flags: int) -> int:
        if offset_bytes < 5 * STEP:
            return 0
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(writeback, "_sync_file_range", fails)
    with pytest.raises(TargetError, match=f"{target}: {os.strerror(errno.EIO)}"):
        finish(target, beats)
    assert beats.count == 5


def test_a_kernel_without_the_call_is_left_to_the_fsync(
    target: Path, beats: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: int) -> int:
        ctypes.set_errno(errno.ENOSYS)
        return -1

    monkeypatch.setattr(writeback, "_sync_file_range", unknown)
    finish(target, beats)
    assert beats.count == 10


def test_each_step_of_zeroing_is_a_beat(target: Path, beats: Beats) -> None:
    descriptor = os.open(target, os.O_RDWR)
    try:
        image._zero(descriptor, [(STEP, 3 * STEP), (5 * STEP, STEP + 1)], beats)
    finally:
        os.close(descriptor)
    assert beats.count == 5
    zeros, kept = bytes(STEP), b"x" * STEP
    assert target.read_bytes() == kept + 3 * zeros + kept + zeros + b"\0" + kept[1:] + 3 * kept
