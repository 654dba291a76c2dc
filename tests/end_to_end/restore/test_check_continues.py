"""A check that was interrupted is continued, and none looks again at what was verified lately."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


@pytest.fixture(scope="module")
def pool() -> Iterator[Machine]:
    """Some ten objects on each of two devices."""
    with new_machine() as made:
        source = Tree({"large": noise(5_000_000), "small": noise(1000, seed=1)}).make(made.folder / "data")
        made.succeed("backup", source, *made.devices("a b"), *SMALL)
        yield made


def test_a_check_that_was_killed_is_continued_where_it_was(pool: Machine) -> None:
    objects_count = len(pool.segments_on())
    running = pool.start("check", "--read-data", "--limit-rate=400KiB", "--json")
    running.wait_for_row(lambda row: row.get("bytes_done", 0) > 0, "something was read")
    running.signal(signal.SIGKILL)
    running.wait()

    done = pool.succeed("check", "--read-data", "--json")

    assert 0 < done.summary["segments_skipped"] < objects_count
    assert done.summary["segments"] + done.summary["segments_skipped"] == objects_count
    assert "continues the check" in done.stderr
    assert pool.succeed("check", "--read-data", "--json").summary["segments"] == objects_count


def test_what_was_verified_since_is_skipped_but_for_what_was_damaged(pool: Machine) -> None:
    pool.succeed("check", "--read-data")
    segment = pool.segments_on("a")[0]
    kept = segment.read_bytes()
    segment.write_bytes(kept[: len(kept) // 2] + b"\0" * 9 + kept[len(kept) // 2 + 9 :])
    try:
        assert pool.succeed("check", "--read-data", "--older-than=30d", "--json").summary["segments"] == 0
        found = pool.run("check", "--read-data", "--older-than=0h", "--json")
        again = pool.run("check", "--read-data", "--older-than=30d", "--json")
    finally:
        segment.write_bytes(kept)

    assert [done.exit_code for done in (found, again)] == [3, 3]
    assert again.summary["segments"] == 1
    (loss,) = again.summary["snapshots_damaged"]
    assert (loss["volume"], loss["files"]) == ("data", 1)
    assert 0 < loss["bytes"] <= 256 * 1024
    assert pool.succeed("check", "--read-data", "--older-than=30d", "--json").summary["segments"] == 1


def test_a_size_is_read_of_what_was_read_longest_ago(pool: Machine) -> None:
    ages = [pool.succeed("check", "--read-data-subset=1", "--json").summary["segments"] for _ in range(2)]

    assert ages == [1, 1]
