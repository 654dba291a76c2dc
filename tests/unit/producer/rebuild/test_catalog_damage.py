"""What a catalog has lost or damaged of the trees of its own snapshots comes back from the devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from kit.models.in_process import in_process
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from producer.catalog.schema import stored_objects, tree_parts, trees
from producer.listing.frames import compress_lines
from tasks.errors import CatalogError, DamagedError, SegfleetError


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Two snapshots; each lacks what the other has."""
    with in_process(tmp_path) as made:
        found = Pool(tmp_path, made)
        found.write("one")
        found.write("folder/two")
        found.back_up()
        (found.source / "one").unlink()
        found.write("three")
        found.back_up()
        yield found


def no_parts(catalog: Catalog) -> None:
    catalog.trees._database.write(delete(tree_parts))


def half_of_each_part(catalog: Catalog) -> None:
    database = catalog.trees._database
    for row in list(database.read(select(tree_parts))):
        here = tree_parts.c.digest == row.digest
        database.write(update(tree_parts).where(here).values(data=row.data[: len(row.data) // 2]))


def other_parts(catalog: Catalog) -> None:
    catalog.trees._database.write(update(tree_parts).values(data=compress_lines([b'{"segment_ids":[]}'])))


def no_lists(catalog: Catalog) -> None:
    catalog.trees._database.write(delete(trees))


def empty_lists(catalog: Catalog) -> None:
    catalog.trees._database.write(update(trees).values(parts=b""))


def lists_that_end_early(catalog: Catalog) -> None:
    database = catalog.trees._database
    for row in list(database.read(select(trees))):
        database.write(update(trees).where(trees.c.snapshot_key == row.snapshot_key).values(parts=row.parts[:-1]))


def no_index(catalog: Catalog) -> None:
    catalog.trees._database.write(delete(stored_objects))


LISTS = [no_lists, empty_lists, lists_that_end_early]


def damage(pool: Pool, kind: Callable[[Catalog], None]) -> None:
    with pool.catalog.transaction():
        kind(pool.catalog)
    # As in the next command's process.
    pool.catalog.trees._needs.clear()


@pytest.mark.parametrize("kind", [no_parts, half_of_each_part, other_parts, *LISTS])
def test_a_rebuild_reads_the_trees_again_and_each_snapshot_is_whole(
    pool: Pool, kind: Callable[[Catalog], None]
) -> None:
    damage(pool, kind)
    done = pool.made.rebuild()
    assert (done.exit_code, done.snapshots, done.snapshots_known) == (0, 0, 2)
    pool.check()
    assert pool.made.check(read_data=True).exit_code == 0
    assert pool.made.prune().exit_code == 0
    pool.check()


@pytest.mark.parametrize("kind", [no_parts, half_of_each_part, *LISTS])
def test_until_then_nothing_that_a_snapshot_needs_is_taken_for_unneeded(
    pool: Pool, kind: Callable[[Catalog], None]
) -> None:
    before = {path for name in "ab" for path in pool.device(name).rglob("*.seg")}
    damage(pool, kind)
    with pytest.raises((CatalogError, DamagedError)) as refused:
        pool.made.prune()
    assert isinstance(refused.value, SegfleetError)
    assert "segfleet rebuild" in (refused.value.hint or "")
    assert {path for name in "ab" for path in pool.device(name).rglob("*.seg")} == before


def test_a_list_that_no_device_has_either_is_named_as_lost(pool: Pool) -> None:
    damage(pool, no_lists)
    for name in "ab":
        for path in pool.device(name).glob("manifests/*.manifest"):
            path.unlink()
    assert pool.made.rebuild().exit_code == 3
    assert any("the list of its tree is lost" in message for message in pool.made.messages)


def test_objects_that_the_index_has_lost_are_no_garbage_and_a_rebuild_finds_them(pool: Pool) -> None:
    before = {path for name in "ab" for path in pool.device(name).rglob("*.seg")}
    damage(pool, no_index)
    assert pool.made.prune().exit_code == 0
    assert any("index lacks what snapshots need" in note for note in pool.made.notes)
    assert {path for name in "ab" for path in pool.device(name).rglob("*.seg")} == before
    pool.made.rebuild()
    pool.check()
