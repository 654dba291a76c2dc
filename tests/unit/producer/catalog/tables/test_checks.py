"""What was checked and when, by object, device and volume; and where an interrupted check began."""

from __future__ import annotations

from datetime import timedelta

from kit.models.objects import stored_object
from kit.models.rows import T0, record_run
from producer.catalog.catalog import Catalog
from producer.catalog.tables.checks import VolumeCheck


def test_a_device_says_how_much_of_it_was_read_and_when(catalog: Catalog) -> None:
    rows = [stored_object(number, bytes_stored=10) for number in range(4)]
    catalog.objects.add_new([*rows, stored_object(9, device_id="e" * 32)])
    catalog.objects.record_look("d" * 32, [row.object_id for row in rows[:2]], T0, read_data=True)
    later = T0 + timedelta(days=1)
    catalog.objects.record_look("d" * 32, [rows[1].object_id], later, read_data=True)
    catalog.objects.record_look("d" * 32, [rows[2].object_id], later, read_data=False)

    found = catalog.checks.by_device()

    one = found["d" * 32]
    assert (one.objects_count, one.bytes_stored, one.bytes_read) == (4, 40, 20)
    assert (one.looked_at, one.read_at) == (later, later)
    other = found["e" * 32]
    assert (other.objects_count, other.bytes_read, other.read_at) == (1, 0, None)


def test_an_object_that_is_stored_anew_was_never_checked(catalog: Catalog) -> None:
    row = stored_object(1)
    catalog.objects.add(row)
    catalog.objects.record_look(row.device_id, [row.object_id], T0, read_data=True)
    assert next(catalog.objects.on_device(row.device_id)).read_at == T0

    catalog.objects.add(row)

    assert next(catalog.objects.on_device(row.device_id)).read_at is None


def test_a_volume_has_its_last_check_of_each_kind(catalog: Catalog) -> None:
    def record(day: int, *, read_data: bool, damaged_count: int = 0) -> None:
        at = T0 + timedelta(days=day)
        catalog.checks.record(
            VolumeCheck(volume="v", read_data=read_data, checked_at=at, snapshots_count=3, damaged_count=damaged_count)
        )

    record(1, read_data=True)
    record(2, read_data=False)
    record(3, read_data=False, damaged_count=1)

    found = catalog.checks.by_volume()["v"]
    assert [(one.read_data, one.damaged_count, (one.checked_at - T0).days) for one in found] == [
        (False, 1, 3),
        (True, 0, 1),
    ]


def test_checks_that_were_interrupted_in_a_row_began_with_the_first_of_them(catalog: Catalog) -> None:
    assert catalog.runs.unfinished_since("check") is None
    record_run(catalog, "", 1, exit_code=130, kind="check")
    record_run(catalog, "", 2, exit_code=3, kind="check")
    assert catalog.runs.unfinished_since("check") is None
    record_run(catalog, "", 3, exit_code=130, kind="check")
    record_run(catalog, "", 4, exit_code=None, kind="check")
    record_run(catalog, "", 5, exit_code=0, kind="backup")

    assert catalog.runs.unfinished_since("check") == T0 + timedelta(days=3)
