"""Rewrites with the workers' real code, in one process: what goes, what stays, and what a rebuild finds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.in_process import CATALOG, in_process
from kit.models.pruned_pool import Pool, tree
from kit.models.rows import begin
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tables.troubles import TroubleRow
from producer.ownership.readers import Readers
from tasks.errors import LockedError, UsageError
from tasks.orders import Order, PutManifest


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with in_process(tmp_path) as made:
        yield Pool(tmp_path, made)


def rewrite(pool: Pool, *names: str, **exclusions: tuple[str, ...]) -> list[SnapshotRow]:
    """The new snapshots; the pool's copies are theirs, still with all that was in the old ones."""
    summary = pool.made.rewrite(*names, **exclusions)
    for row in summary.rewritten:
        pool.copies[row.snapshot_id] = pool.copies.pop(row.replaces)
    return [pool.catalog.snapshots.get(row.snapshot_id) for row in summary.rewritten]


def remove(pool: Pool, snapshot_id: str, *paths: str) -> None:
    """From the copy of the source that a snapshot is compared with."""
    for path in paths:
        place = pool.copies[snapshot_id] / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def names_in(pool: Pool, snapshot_id: str) -> set[str]:
    batches = pool.catalog.trees.of(snapshot_id).batches()
    return {batch.path_at(place) for batch in batches for place in range(len(batch))} - {""}


def test_a_path_goes_from_the_snapshots_and_with_the_next_prune_from_the_devices(pool: Pool) -> None:
    pool.write("stays")
    pool.write("secret", 200_000)
    first = pool.back_up()
    pool.write("new")
    second = pool.back_up()
    before = pool.catalog.snapshots.get(first)

    new = rewrite(pool, first, second, patterns=("secret",))

    for row in new:
        remove(pool, row.snapshot_id, "secret")
    assert pool.made.prune().bytes_freed > 1000
    pool.check()
    assert len(pool.catalog.snapshots.states()) == 2
    same = ("volume", "started_at", "sealed_at", "hostname", "tags", "description", "sources", "owner_names")
    assert all(getattr(new[0], name) == getattr(before, name) for name in same)
    assert (new[0].files_count, new[0].bytes_source) == (before.files_count - 1, before.bytes_source - 200_000)
    assert new[1].parent_id == new[0].snapshot_id
    on_devices = b"".join(path.read_bytes() for path in (pool.folder / "devices").rglob("*.manifest"))
    assert first.encode() not in on_devices and second.encode() not in on_devices
    # The next backup compares with the new one, and stores nothing anew.
    assert pool.made.back_up({"data": pool.copies[new[1].snapshot_id]}).bytes_stored == 0


@pytest.mark.parametrize("prunes", [False, True])
def test_a_rebuild_afterwards_finds_the_new_snapshot_and_not_the_old_one(pool: Pool, prunes: bool) -> None:
    pool.write("stays")
    pool.write("folder/secret")
    old = pool.back_up()
    [new] = rewrite(pool, old, patterns=("/folder",))
    remove(pool, new.snapshot_id, "folder")
    if prunes:
        pool.made.prune()

    with Catalog(pool.folder / "other.sqlite") as catalog:
        pool.made.catalog = pool.catalog = catalog
        assert pool.made.rebuild().exit_code == 0
        left = {} if prunes else {old: "forgotten"}
        assert catalog.snapshots.states() == {new.snapshot_id: "sealed", **left}
        pool.check()


def test_the_next_name_of_a_hard_link_becomes_the_file(pool: Pool) -> None:
    pool.write("a/first")
    pool.write("b/other")
    for name in ("b/second", "c"):
        os.link(pool.source / "a/first", pool.source / name)
    old = pool.back_up()
    [new] = rewrite(pool, old, patterns=("/a",))
    remove(pool, new.snapshot_id, "a")

    entries = {entry.path: entry for batch in pool.catalog.trees.of(new.snapshot_id).batches() for entry in batch}
    # A folder's own entries come before those of its folders.
    names = {"b/second", "c"}
    [file] = [path for path in names if entries[path].kind == "file"]
    [link] = names - {file}
    assert (entries[link].kind, entries[link].link) == ("hardlink", f"data/{file}")
    assert new.files_count == pool.catalog.snapshots.get(old).files_count
    pool.made.prune()
    pool.check()
    restored = pool.made.target / "data"
    assert (restored / "c").samefile(restored / "b/second")


def test_a_folder_goes_with_all_below_it_and_letters_match_in_either_case_where_asked(pool: Pool) -> None:
    for name in ("Cache/deep/er", "cache.txt", "stays/x"):
        pool.write(name)
    old = pool.back_up()

    [new] = rewrite(pool, old, patterns_any_case=("cache/",))

    assert names_in(pool, new.snapshot_id) == {"cache.txt", "stays", "stays/x"}


def test_where_no_path_fits_nothing_is_rewritten(pool: Pool) -> None:
    pool.write("stays")
    old = pool.back_up()
    stored = pool.stored()

    summary = pool.made.rewrite(old, patterns=("nothing",))

    assert (summary.rewritten, summary.unchanged, summary.exit_code) == ((), 1, 0)
    assert pool.stored() == stored and pool.catalog.snapshots.states() == {old: "sealed"}


def test_the_pin_moves_to_the_new_snapshot_and_a_rebuild_knows(pool: Pool) -> None:
    pool.write("secret")
    old = pool.back_up()
    pool.catalog.marks.set_tags(old, ["release"])
    pool.catalog.marks.set_pinned(old, True)

    [new] = rewrite(pool, old, patterns=("secret",))

    assert new.pinned and new.tags == ("release",)
    assert pool.catalog.snapshots.states()[old] == "forgotten"
    with Catalog(pool.folder / "other.sqlite") as catalog:
        pool.made.catalog = catalog
        pool.made.rebuild()
        found = catalog.snapshots.get(new.snapshot_id)
        assert found.pinned and found.tags == ("release",)


def test_a_snapshot_that_others_are_compared_with_lends_them_what_it_has(pool: Pool) -> None:
    """The other one stays as it is, with the path that goes from the first."""
    pool.write("secret")
    pool.write("stays")
    first = pool.back_up()
    pool.write("new")
    pool.back_up()

    [new] = rewrite(pool, first, patterns=("secret",))

    remove(pool, new.snapshot_id, "secret")
    pool.made.prune()
    pool.check()
    with Catalog(pool.folder / "other.sqlite") as catalog:
        pool.made.catalog = catalog
        assert pool.made.rebuild().exit_code == 0
        pool.catalog = catalog
        pool.check()


def test_what_an_unfinished_backup_is_compared_with_stays(pool: Pool) -> None:
    pool.write("secret")
    old = pool.back_up()
    child = begin(pool.catalog, "data", 1)
    pool.catalog.snapshots.set_parent(child, old)

    with pytest.raises(UsageError, match="is the parent of"):
        pool.made.rewrite(old, patterns=("secret",))
    with pytest.raises(UsageError, match="is unfinished"):
        pool.made.rewrite(child[:8], patterns=("secret",))
    assert pool.catalog.snapshots.states()[old] == "sealed"


def test_what_somebody_reads_stays(pool: Pool) -> None:
    pool.write("secret")
    old = pool.back_up()
    readers = Readers(str(pool.folder / CATALOG), purpose="restore", manager="", note=lambda text: None)
    readers.begin([old])
    try:
        with pytest.raises(LockedError, match="is in use by"):
            pool.made.rewrite(old, patterns=("secret",))
    finally:
        readers.close()
    assert pool.catalog.snapshots.states() == {old: "sealed"}


def test_a_kill_at_any_point_leaves_the_old_or_the_new_snapshot_whole(pool: Pool) -> None:
    class Killed(BaseException):
        pass

    pool.write("secret")
    pool.write("stays")
    old = pool.back_up()
    copy = pool.copies[old]
    for last in range(1, 20):
        sent: list[Order] = []

        def before(order: Order, sent: list[Order] = sent, last: int = last) -> None:
            sent.extend([order] if isinstance(order, PutManifest) else [])
            if len(sent) == last:
                raise Killed

        pool.made.before = before
        try:
            pool.made.rewrite("latest", patterns=("secret",))
        except Killed:
            pool.made.before = lambda order: None
        else:
            break
        pool.made.prune()
        [row] = pool.catalog.snapshots.all()
        pool.copies = {row.snapshot_id: copy}
        if row.snapshot_id != old:
            remove(pool, row.snapshot_id, "secret")
            pool.check()
            break
        pool.check()
    else:
        pytest.fail("the rewrite never ended")
    assert last > 3
    assert "secret" not in names_in(pool, pool.catalog.snapshots.find("latest").snapshot_id)


def test_troubles_follow_their_files_and_lacks_go_with_theirs(pool: Pool) -> None:
    for name in ("a", "secret", "z"):
        pool.write(name)
    old = pool.back_up()
    indexes = {entry.path: entry.index for batch in pool.catalog.trees.of(old).batches() for entry in batch}
    troubles = [
        TroubleRow(entry_index=indexes[name], path="", code="changed", message=name) for name in ("secret", "z")
    ]
    pool.catalog.troubles.add(old, troubles)

    [new] = rewrite(pool, old, patterns=("secret",))

    found = {entry.index: entry.path for batch in pool.catalog.trees.of(new.snapshot_id).batches() for entry in batch}
    [row] = pool.catalog.troubles.all(new.snapshot_id)
    assert row == replace(troubles[1], entry_index=row.entry_index)
    assert found[row.entry_index or 0] == "z"
    assert tree(pool.source)
