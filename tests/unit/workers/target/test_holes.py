import pytest

from workers.target.holes import BLOCK_BYTES, Stretch, stretches

ZEROS = bytes(BLOCK_BYTES)
DATA = b"x" * BLOCK_BYTES


def test_blocks_of_zeros_are_told_apart_from_data() -> None:
    data = DATA + ZEROS + ZEROS + DATA
    assert list(stretches(data, 0, len(data), 0)) == [
        Stretch(0, BLOCK_BYTES, False),
        Stretch(BLOCK_BYTES, 3 * BLOCK_BYTES, True),
        Stretch(3 * BLOCK_BYTES, 4 * BLOCK_BYTES, False),
    ]


def test_a_run_of_zeros_begins_at_a_multiple_of_the_block_in_the_file() -> None:
    data = ZEROS * 3
    assert list(stretches(data, 0, len(data), 5)) == [
        Stretch(0, BLOCK_BYTES - 5, False),
        Stretch(BLOCK_BYTES - 5, 3 * BLOCK_BYTES - 5, True),
        Stretch(3 * BLOCK_BYTES - 5, 3 * BLOCK_BYTES, False),
    ]


@pytest.mark.parametrize("offset_bytes", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 12345])
@pytest.mark.parametrize("data", [ZEROS * 2 + b"tail", DATA + ZEROS + DATA, b"", b"short", ZEROS * 4, b"y" + ZEROS * 3])
def test_runs_cover_the_data_without_gap_and_zeros_are_zeros(data: bytes, offset_bytes: int) -> None:
    found = list(stretches(data, 0, len(data), offset_bytes))
    assert b"".join(data[run.start : run.stop] for run in found) == data
    assert [run.start for run in found[1:]] == [run.stop for run in found[:-1]]
    assert not any(any(data[run.start : run.stop]) for run in found if run.is_zero)
    assert all(run.start < run.stop for run in found)


def test_a_part_of_a_buffer_is_looked_at_alone() -> None:
    data = ZEROS + DATA + ZEROS
    assert list(stretches(data, BLOCK_BYTES, 3 * BLOCK_BYTES, 0)) == [
        Stretch(BLOCK_BYTES, 2 * BLOCK_BYTES, False),
        Stretch(2 * BLOCK_BYTES, 3 * BLOCK_BYTES, True),
    ]
