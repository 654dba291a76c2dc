"""The commands that only read the catalog: snapshots, ls, find, diff."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from producer.backup.sealing.record_tree import record_tree
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotPlan, SourceRow
from producer.cli.commands.browse.find import Search
from producer.cli.main import run
from producer.host.state import open_state
from producer.listing import Entry, EntryBatch
from producer.requests import Exclusions, Source
from producer.walk import Walk

OLD, NEW, TIMED = "0" * 31 + "1", "f" * 31 + "2", "a" * 32
STARTED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree named ``data`` whose two states are in the catalog as snapshots OLD and NEW."""
    root = tmp_path / "data"
    (root / "docs" / "old").mkdir(parents=True)
    (root / "docs" / "a.txt").write_text("a")
    (root / "docs" / "old" / "b.txt").write_text("b")
    (root / "zero").touch()
    (root / "link").symlink_to("docs/a.txt")
    (root / "two\nlines").write_text("odd")
    return root


@pytest.fixture(autouse=True)
def catalog(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with Catalog(open_state().catalog_url) as catalog:
        record(catalog, OLD, tree, STARTED)
        change(tree)
        record(catalog, NEW, tree, STARTED + timedelta(days=1))
        yield catalog


def change(root: Path) -> None:
    (root / "docs" / "a.txt").write_text("longer")
    (root / "docs" / "old" / "b.txt").unlink()
    (root / "docs" / "new.txt").write_text("new")
    (root / "zero").unlink()
    (root / "zero").mkdir()
    (root / "docs" / "old").chmod(0o700)


def record(catalog: Catalog, snapshot_id: str, root: Path, started_at: datetime) -> None:
    """Walk ``root`` and put it into the catalog as a sealed snapshot without segments."""
    walk = Walk(
        [Source(name="data", path=root)],
        Exclusions(),
        on_trouble=lambda trouble: pytest.fail(trouble.message),
        on_progress=lambda files, size: None,
    )
    catalog.snapshots.begin(
        NewSnapshot(
            snapshot_id=snapshot_id,
            pool_id="c" * 32,
            volume="data",
            mode="files",
            hostname="here",
            tags=("weekly",),
            sources=(SourceRow(name="data", path=str(root)),),
            request={},
            started_at=started_at,
        )
    )
    for part in walk.parts():
        catalog.listing.add_part(snapshot_id, part.number, part.first_entry, part.entries_count, part.data)
    catalog.snapshots.set_plan(
        snapshot_id,
        SnapshotPlan(
            threshold_bytes=65536,
            bundle_limit_bytes=0,
            unit_bytes=0,
            block_bytes=0,
            level=3,
            entries_count=len(walk.sizes),
            files_count=walk.files_count,
            bytes_source=walk.bytes_total,
            segments_count=0,
        ),
    )
    record_tree(catalog, catalog.snapshots.get(snapshot_id), {})
    catalog.snapshots.seal(snapshot_id, started_at, b"h" * 32)


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(arguments) == 0
    return capsys.readouterr().out.splitlines()


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(capsys, *arguments, "--json")]


def test_snapshots_come_oldest_first_with_local_times(capsys: pytest.CaptureFixture[str]) -> None:
    header, first, second = lines(capsys, "snapshots")
    assert header.split() == ["snapshot", "started", "age", "volume", "files", "size", "stored", "tags", "sources"]
    here = datetime(2026, 3, 1, 12, tzinfo=UTC).astimezone()
    assert first.startswith(f"{OLD[:8]}  {here:%Y-%m-%d %H:%M}")
    assert second.startswith(NEW[:8])


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["data"], [OLD, NEW]),
        (["data", "--last", "1"], [NEW]),
        (["--tag", "weekly"], [OLD, NEW]),
        (["--tag", "monthly"], []),
    ],
)
def test_snapshots_shows_only_what_is_chosen(
    capsys: pytest.CaptureFixture[str], options: list[str], found: list[str]
) -> None:
    assert [row["snapshot_id"] for row in rows(capsys, "snapshots", *options)] == found


def test_snapshots_of_a_volume_that_is_not_there_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["snapshots", "other"]) == 2
    assert "no snapshot of volume other" in capsys.readouterr().err


def test_snapshots_as_json_hold_whole_ids(capsys: pytest.CaptureFixture[str], tree: Path) -> None:
    first, second = rows(capsys, "snapshots")
    assert (first["message_type"], first["snapshot_id"], first["started"]) == ("snapshot", OLD, "2026-03-01T12:00:00Z")
    assert second["tags"] == ["weekly"]
    assert second["sources"] == [{"name": "data", "path": str(tree), "mode": "files"}]


def test_ls_shows_all_entries_under_the_name_of_their_source(capsys: pytest.CaptureFixture[str]) -> None:
    # A name is printed as it is where no terminal reads it.
    assert lines(capsys, "ls", OLD[:8]) == [
        "data",
        "data/docs",
        "data/link",
        "data/two",
        "lines",
        "data/zero",
        "data/docs/a.txt",
        "data/docs/old",
        "data/docs/old/b.txt",
    ]


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        (["--type", "d"], ["data", "data/docs", "data/docs/old"]),
        (["--type", "l"], ["data/link"]),
        (["--type", "f", "--size", "-1B"], ["data/zero", "data/docs/a.txt", "data/docs/old/b.txt"]),
        (["--size", "+1", "--size", "-1KiB", "-i", "*.txt"], ["data/docs/a.txt", "data/docs/old/b.txt"]),
        (["--size", "0"], ["data/zero"]),
        (["-e", "old/", "-i", "docs/"], ["data/docs", "data/docs/a.txt"]),
        (["--type", "f", "--oldest", "2001-09-09T01:46:40Z", "--newest", "2001-09-09T02:00"], ["data/docs/a.txt"]),
        (["--newest", "20y"], ["data/docs/a.txt"]),
    ],
    ids=" ".join,
)
def test_ls_shows_only_what_is_chosen(
    capsys: pytest.CaptureFixture[str], catalog: Catalog, tree: Path, options: list[str], paths: list[str]
) -> None:
    (tree / "docs" / "old" / "b.txt").write_text("b")
    (tree / "zero").rmdir()
    (tree / "zero").touch()
    (tree / "docs" / "a.txt").write_text("a")
    (tree / "docs" / "new.txt").unlink()
    (tree / "two\nlines").unlink()
    os.utime(tree / "docs" / "a.txt", ns=(0, 10**18))
    record(catalog, TIMED, tree, STARTED)

    assert lines(capsys, "ls", TIMED, *options) == paths


def test_ls_long_shows_sizes_for_people(capsys: pytest.CaptureFixture[str], catalog: Catalog, tree: Path) -> None:
    (tree / "docs" / "a.txt").write_bytes(bytes(3 * 1024 * 1024 // 2))
    record(catalog, TIMED, tree, STARTED)

    assert "1.5 MiB" in lines(capsys, "ls", "-l", "--human-readable", TIMED, "data/docs/a.txt")[0]
    assert " 1572864 " in lines(capsys, "ls", "-l", TIMED, "data/docs/a.txt")[0]


def test_find_chooses_by_kind_and_size_and_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "find", "A.TXT", "-i", "--size", "+2") == [f"{NEW[:8]}:data/docs/a.txt"]
    assert lines(capsys, "find", "A.TXT") == []
    assert lines(capsys, "find", "zero", "--type", "d") == [f"{NEW[:8]}:data/zero"]
    (long,) = lines(capsys, "find", "zero", "--type", "f", "-l")
    assert long.startswith("-rw") and long.endswith(f" {OLD[:8]}:data/zero")


@pytest.mark.parametrize("wrong", [["--size", "+1M"], ["--oldest", "yesterday"], ["--type", "x"], ["-i", "!"]])
def test_a_filter_that_means_nothing_is_wrong_usage(capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    assert run(["ls", OLD, *wrong]) == 2
    assert capsys.readouterr().out == ""


def test_ls_of_a_path_shows_it_and_what_is_directly_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    shallow = ["data/docs", "data/docs/a.txt", "data/docs/old"]
    assert lines(capsys, "ls", OLD, "data/docs") == shallow
    assert lines(capsys, "ls", OLD, "/data/docs/", "-R") == [*shallow, "data/docs/old/b.txt"]
    assert lines(capsys, "ls", OLD, "data/docs/a.txt") == ["data/docs/a.txt"]


def test_ls_long_shows_mode_size_time_and_where_a_link_leads(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = lines(capsys, "ls", OLD, "data/link", "--long")
    assert line.startswith("lrwxrwxrwx")
    assert line.endswith("data/link -> docs/a.txt")


def test_ls_as_json_gives_one_entry_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    entry = next(row for row in rows(capsys, "ls", "latest") if row["path"] == "data/docs/a.txt")
    assert (entry["message_type"], entry["kind"], entry["size_bytes"]) == ("entry", "file", 6)
    assert entry["mtime"].endswith("Z")


def test_ls_of_a_path_that_is_not_there_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "latest", "data/none"]) == 2
    assert "has no data/none" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["deadbeef", "1234567", "newest", "zzzzzzzz"])
def test_a_snapshot_that_is_not_there_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", name]) == 2
    assert "segfleet snapshots" in capsys.readouterr().err


def test_find_looks_for_a_name_in_all_snapshots(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "find", "*.txt") == [
        f"{OLD[:8]}:data/docs/a.txt",
        f"{OLD[:8]}:data/docs/old/b.txt",
        f"{NEW[:8]}:data/docs/a.txt",
        f"{NEW[:8]}:data/docs/new.txt",
    ]


def test_find_with_a_slash_looks_at_the_whole_path_and_at_one_snapshot_if_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert lines(capsys, "find", "data/*/b.txt", "--snapshot", OLD[:8]) == [f"{OLD[:8]}:data/docs/old/b.txt"]
    assert [row["snapshot_id"] for row in rows(capsys, "find", "data")] == [OLD, NEW]


def test_find_reads_each_part_once_however_many_snapshots_share_it(catalog: Catalog, tree: Path) -> None:
    record(catalog, "7" * 32, tree, STARTED + timedelta(days=2))
    read = list[str]()

    def matching(batch: EntryBatch) -> list[Entry]:
        read.append(batch.directory)
        return list(batch)

    search = Search(matching)
    found = [[entry.path for entry in search.entries(catalog.trees.of(one))] for one in (NEW, "7" * 32)]

    assert found[0] == found[1]
    assert len(found[0]) == 8
    assert len(read) == len(list(catalog.trees.of(NEW).batches()))


def test_diff_tells_added_removed_modified_and_other_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "diff", OLD, "latest") == [
        "T    data/zero",
        "M    data/docs/a.txt",
        "+    data/docs/new.txt",
        "-    data/docs/old/b.txt",
    ]
    assert lines(capsys, "diff", OLD, OLD) == []


def test_diff_tells_metadata_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"message_type": "change", "change": "U", "path": "data/docs/old"} in rows(
        capsys, "diff", OLD, NEW, "--metadata"
    )


def test_without_a_snapshot_the_lists_say_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "fresh"))
    assert run(["snapshots"]) == 0
    assert run(["ls", "latest"]) == 2
    assert "no snapshot" in capsys.readouterr().err
