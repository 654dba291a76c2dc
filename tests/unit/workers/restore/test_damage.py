from pathlib import Path
from typing import cast

import pytest

from kit.stored.segment_in_memory import (
    FILES,
    INCOMPRESSIBLE,
    OBJECT_ID,
    UNIT,
    WHOLE,
    MemoryObject,
    Metadata,
    content,
    pattern,
    prepare,
    restore,
    store,
    whole_files,
)
from tasks.errors import DamagedError, DeviceError, MessageError


def test_a_damaged_unit_costs_its_files_and_no_others(tmp_path: Path) -> None:
    device = store(FILES)
    device.damage_unit(1)  # in the midst of dir/large
    result = restore(tmp_path, device, whole_files(FILES))
    assert [(t.path, t.size_bytes, t.code) for t in result.troubles] == [("dir/large", -1, "damaged")]
    assert content(tmp_path) == {path: data for path, data in FILES.items() if path != "dir/large"}
    assert result.files_count == 4


def test_a_file_that_was_there_stays_when_nothing_of_the_new_one_is_written(tmp_path: Path) -> None:
    device = store(FILES)
    device.damage_unit(0)
    (tmp_path / "a").write_bytes(b"older")
    restore(tmp_path, device, whole_files(FILES))
    assert (tmp_path / "a").read_bytes() == b"older"


def test_of_a_file_in_parts_the_damaged_range_is_reported_and_the_rest_is_written(tmp_path: Path) -> None:
    data = pattern(4 * UNIT)
    device = store({"big": data})
    device.damage_unit(1)
    big = prepare(tmp_path, "big")
    result = restore(tmp_path, device, [("big", 100, 5100, 4 * UNIT - 100, ())])
    trouble = result.troubles[0]
    assert len(result.troubles) == 1
    assert (trouble.path, trouble.offset_bytes, trouble.size_bytes) == ("big", 5000 + UNIT, UNIT)
    written = big.read_bytes()[5000:]
    assert written[100:UNIT] == data[100:UNIT]
    assert written[UNIT : 2 * UNIT] == bytes(UNIT)
    assert written[2 * UNIT :] == data[2 * UNIT :]


def test_damage_to_header_or_seek_table_costs_nothing(tmp_path: Path) -> None:
    for number, position in enumerate((60, -12)):
        device, target = store(FILES), tmp_path / str(number)
        device.data[position] ^= 0xFF
        target.mkdir()
        assert restore(target, device, whole_files(FILES)).troubles == ()
        assert content(target) == FILES


def test_an_extent_beyond_the_segment_is_damage_of_that_extent(tmp_path: Path) -> None:
    result = restore(tmp_path, store(FILES), [("far", 10**9, 0, 5, WHOLE), ("a", 0, 0, 5, WHOLE)])
    assert [(t.path, t.code) for t in result.troubles] == [("far", "damaged")]
    assert content(tmp_path) == {"a": b"first"}


def test_a_missing_segment_and_another_ones_file_fail_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DamagedError, match="not on device a"):
        restore(tmp_path, store(FILES), whole_files(FILES), object_id="cc" * 16)
    device = store(FILES)
    monkeypatch.setattr(device, "open", lambda key: MemoryObject(device))
    with pytest.raises(DamagedError, match=OBJECT_ID):
        restore(tmp_path, device, whole_files(FILES), object_id="cc" * 16)
    assert content(tmp_path) == {}


def test_a_bad_sector_costs_its_unit(tmp_path: Path) -> None:
    device = store(INCOMPRESSIBLE)
    device.bad_sector = device.units()[20].stored_offset_bytes
    result = restore(tmp_path, device, whole_files(INCOMPRESSIBLE))
    assert [(t.path, t.code) for t in result.troubles] == [("large", "damaged")]
    assert content(tmp_path) == {"small": INCOMPRESSIBLE["small"]}


def test_a_device_that_is_gone_fails_the_order(tmp_path: Path) -> None:
    device = store(INCOMPRESSIBLE)
    device.bad_sector = device.units()[20].stored_offset_bytes
    device.dies = True
    with pytest.raises(DeviceError, match="gone"):
        restore(tmp_path, device, whole_files(INCOMPRESSIBLE))


def test_a_row_of_metadata_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MessageError):
        restore(tmp_path, store(FILES), whole_files(FILES, metadata=cast(Metadata, (0o644, 0))))
