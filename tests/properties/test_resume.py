"""What holds when an interrupted backup goes on, whatever changed in between."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kit.hole_map import data_in
from kit.models.offline import Devices, Offline, backup_request, report
from producer.backup.intake.intake import Intake
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing.extents import SegmentContents, extents_of

NAMES = ["a", "b", "b-", "b/a", "b/x", "c/d/e", "c/d/f", "c/g", "m", "z"]

#: Relative path → size of the file there.
Tree = dict[str, int]

#: Either side of the bundle limit, the segment size and the block size.
file_sizes = st.sampled_from([0, 1, 700, 1024, 3000, 9000, 16 * 1024, 40_000, 130_000, 2**20, 2**21])
trees = st.dictionaries(st.sampled_from([f"{source}/{name}" for source in "st" for name in NAMES]), file_sizes)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to the sources between two runs: new contents, by path; None: the file vanishes."""

    files: Mapping[str, int | None]
    #: Segments that the run before had stored.
    stored_count: int
    #: The devices of the next run, and those of them whose folder is empty again.
    names: str
    wiped: str


changes = st.builds(
    Change,
    files=st.dictionaries(
        st.sampled_from([f"{source}/{name}" for source in "st" for name in NAMES]), st.none() | file_sizes, max_size=4
    ),
    stored_count=st.integers(0, 30),
    names=st.sampled_from(["a b", "a b c", "b", "c b a"]),
    wiped=st.sampled_from(["", "", "a"]),
)
plans = st.fixed_dictionaries(
    {
        "split": st.sampled_from(["threshold", "remaining"]),
        "bundle": st.booleans(),
        "segment_bytes": st.sampled_from([16 * 1024, 64 * 1024, 1024**2]),
    }
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each example."""
    above = tmp_path_factory.mktemp("sources")
    return (above / str(number) for number in itertools.count())


def put(root: Path, files: Mapping[str, int | None]) -> None:
    for name, size_bytes in files.items():
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        for above in itertools.takewhile(lambda above: above != root, path.parents):
            if above.is_file():
                above.unlink()
        path.unlink(missing_ok=True)
        if size_bytes is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # From 1 MiB on there are holes; 2 MiB of them are a file without data.
            with path.open("wb") as file:
                file.write(bytes(size_bytes if size_bytes < 2**20 else 9000 if size_bytes == 2**20 else 0))
                file.truncate(size_bytes)
            if size_bytes == 2**20:
                with path.open("r+b") as file:
                    file.seek(40_960)
                    file.write(bytes(20_000))


def data_of(root: Path) -> dict[str, list[tuple[int, int]]]:
    """Relative path → start and stop of each range of data."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): data_in(path) for path in files}


def contents_of(catalog: Catalog, row: SegmentRow) -> SegmentContents:
    return extents_of(
        catalog.listing.reader(row.snapshot_id).batches(row.first_entry, row.stop_entry),
        first_entry=row.first_entry,
        stop_entry=row.stop_entry,
        offset_bytes=row.offset_bytes,
        size_bytes=row.size_bytes,
        bundle_limit_bytes=catalog.snapshots.get(row.snapshot_id).bundle_limit_bytes,
    )


def covered(catalog: Catalog, snapshot_id: str) -> dict[str, list[tuple[int, int]]]:
    """Path → (offset, size) of what the valid segments hold of it, in order."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in catalog.segments.valid(snapshot_id):
        contents = contents_of(catalog, row)
        for extent in contents.extents:
            path = f"{contents.source}/{extent.path}"
            found.setdefault(path, []).append((extent.offset_bytes, extent.size_bytes))
    return {path: sorted(extents) for path, extents in found.items()}


def assert_each_byte_is_covered_once(
    catalog: Catalog, snapshot_id: str, data: Mapping[str, list[tuple[int, int]]]
) -> None:
    found = covered(catalog, snapshot_id)
    assert found.keys() == {path for path, ranges in data.items() if ranges}
    for path, extents in found.items():
        joined: list[tuple[int, int]] = []
        for offset, size in extents:
            start = joined.pop()[0] if joined and joined[-1][1] == offset else offset
            joined.append((start, offset + size))
        assert joined == data[path], path


def stored_extents(catalog: Catalog, intake: Intake) -> dict[str, SegmentContents]:
    """Segment id → what it holds, as the run that stored it saw it."""
    rows = catalog.segments.stored(intake.snapshot_id)
    return {row.segment_id: contents_of(catalog, row) for row in rows}


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
# A file above the threshold of what is planned anew, but no larger than what the first plan's bundles take.
@example(
    tree={"s/a": 9000, "s/m": 130_000, "s/z": 130_000, "t/a": 130_000, "t/z": 130_000},
    steps=[Change(files={"s/b": 9000}, stored_count=0, names="a b", wiped="")],
    plan={"split": "remaining", "bundle": True, "segment_bytes": 64 * 1024},
)
# A device that is empty when it is named again.
@example(
    tree={"s/a": 9000, "s/m": 130_000},
    steps=[
        Change(files={}, stored_count=3, names="a b", wiped="a"),
        Change(files={"s/m": 700}, stored_count=3, names="a b c", wiped="a"),
    ],
    plan={"split": "threshold", "bundle": False, "segment_bytes": 16 * 1024},
)
@given(tree=trees, steps=st.lists(changes, min_size=1, max_size=3), plan=plans)
def test_every_byte_of_every_file_is_in_exactly_one_valid_segment(
    folders: Iterator[Path], tree: Tree, steps: list[Change], plan: dict[str, Any]
) -> None:
    root = next(folders)
    with Catalog(root.with_suffix(".sqlite")) as catalog:
        _resume(catalog, root, tree, steps, plan)


def _resume(catalog: Catalog, root: Path, tree: Tree, steps: list[Change], plan: dict[str, Any]) -> None:
    sources = {"s": root / "s", "t": root / "t"}
    for source in sources.values():
        source.mkdir(parents=True)
    put(root, tree)
    request = backup_request(sources, allow_empty=True, **plan)
    devices = Devices(sources)
    run = Offline(catalog, ["a", "b"], devices)
    intake = run.plan(request)
    assert_each_byte_is_covered_once(catalog, intake.snapshot_id, data_of(root))
    for step in steps:
        run.store(intake, count=step.stored_count)
        held = stored_extents(catalog, intake)
        put(root, step.files)
        for name in set(step.wiped).intersection(step.names):
            devices.reports[name] = report()
        run = Offline(catalog, step.names.split(), devices)
        again = run.plan(backup_request(sources, step.names, allow_empty=True, **plan))
        assert again.snapshot_id == intake.snapshot_id
        intake = again
        assert_each_byte_is_covered_once(catalog, intake.snapshot_id, data_of(root))
        changed = set(step.files)
        for row in catalog.segments.valid(intake.snapshot_id):
            contents = contents_of(catalog, row)
            paths = {f"{contents.source}/{path}" for path in contents.extents.paths}
            if row.state == "stored":
                # What is stored is still true: the same extents, none of a file that changed.
                assert contents.extents == held[row.segment_id].extents
                assert not paths & changed
                # A device that is empty now may be unmounted: what it has counts until the seal.
                assert row.device_id in {device.device_id for device in catalog.devices.all()}
            else:
                assert row.device in intake.members
    ids = [row.segment_id for row in catalog.segments.valid(intake.snapshot_id)]
    assert len(ids) == len(set(ids))
