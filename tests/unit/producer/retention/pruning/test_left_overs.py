"""What killed runs, dying devices, other catalogs and a damaged catalog leave to a prune."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kit.models.in_process import CATALOG, InProcess, in_process
from kit.models.kept_trees import Killed
from kit.models.pruned_pool import Pool
from producer.catalog.catalog import Catalog
from producer.requests import RepackLimits
from producer.retention.pruning.meeting import OldCatalogError
from tasks.errors import CatalogError, DeviceError
from tasks.orders import Order, PutManifest, StoreSegment
from tasks.orders.cleaning import DeleteStored
from tasks.orders.repacking import RepackObject

NONE_UNUSED = RepackLimits(max_unused_percent=0)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Of two snapshots the first is to go; of small files that it stored the second needs some."""
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        pool.write("stays")
        for name in "abc":
            pool.write(f"small/{name}", 2000)
            pool.write(f"changes-{name}")
        first = pool.back_up()
        (pool.source / "small/a").unlink()
        for name in "abc":
            pool.write(f"changes-{name}")
        pool.back_up()
        pool.forget(first)
        yield pool


def files_on(pool: Pool) -> set[str]:
    return {str(path) for name in "ab" for path in pool.device(name).rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", [StoreSegment, PutManifest])
def test_an_unfinished_backup_that_is_forgotten_leaves_nothing(pool: Pool, kind: type[Order]) -> None:
    pool.made.prune(limits=NONE_UNUSED)
    before = files_on(pool)
    pool.write("new")
    pool.write("newer")
    pool.made.before = killing_after(kind, pool)
    with pytest.raises(Killed):
        pool.back_up()
    pool.made.before = lambda order: None
    begun = pool.device("a") / "segments" / "aa" / f"{'a' * 32}.seg.12345678.tmp"
    begun.parent.mkdir(exist_ok=True)
    begun.write_bytes(b"begun")

    [unfinished] = pool.catalog.snapshots.all("open")
    assert pool.made.prune(limits=NONE_UNUSED).objects_deleted == 0
    assert not begun.exists() and len(files_on(pool) - before) > 1
    pool.forget(unfinished.snapshot_id)
    would = pool.made.prune(dry_run=True, limits=NONE_UNUSED)
    done = pool.made.prune(limits=NONE_UNUSED)

    assert would.objects_deleted == done.objects_deleted > 0
    assert files_on(pool) - before == set()
    pool.check()


def killing_after(kind: type[Order], pool: Pool) -> Callable[[Order], None]:
    """The manager dies once a worker has carried out an order of the kind, and there is a new object."""
    objects = len(objects_on(pool))

    def before(order: Order) -> None:
        if isinstance(order, kind):
            pool.made.carry_out(order)
            if len(objects_on(pool)) > objects:
                raise Killed

    return before


def objects_on(pool: Pool) -> set[str]:
    return {name.removesuffix(".seg") for name in pool.stored() if name.endswith(".seg")}


def test_a_device_that_dies_at_any_order_of_a_prune_costs_space_alone(pool: Pool) -> None:
    for number in range(1, 100):
        pool.made.before = failing_from(number, device="b")
        done = pool.made.prune(limits=NONE_UNUSED)
        pool.made.before = lambda order: None
        pool.check()
        if done.exit_code == 0:
            break
        assert done.exit_code == 3

    assert number > 2
    assert pool.made.prune(limits=NONE_UNUSED).objects_deleted == 0
    indexed = {
        one.object_id for row in pool.catalog.devices.all() for one in pool.catalog.objects.on_device(row.device_id)
    }
    assert objects_on(pool) == indexed


def failing_from(number: int, *, device: str) -> Callable[[Order], None]:
    """Every order to the device fails, from the ``number``-th on that changes it."""
    seen = 0

    def before(order: Order) -> None:
        nonlocal seen
        if order.device == device:
            seen += isinstance(order, PutManifest | DeleteStored | RepackObject)
            if seen >= number:
                raise DeviceError("input/output error")

    return before


def test_of_two_copies_of_a_catalog_the_one_that_prunes_second_touches_nothing_until_it_is_rebuilt(
    pool: Pool, tmp_path: Path
) -> None:
    with Catalog(tmp_path / "other" / "catalog.sqlite") as other:
        theirs = InProcess(tmp_path, other)
        assert theirs.rebuild().errors == 0
        assert pool.made.prune(limits=NONE_UNUSED).objects_deleted > 0
        before = files_on(pool)

        with pytest.raises(OldCatalogError):
            theirs.prune(limits=NONE_UNUSED)
        assert files_on(pool) == before
        pool.check()

        assert theirs.rebuild().errors == 0
        assert theirs.prune(limits=NONE_UNUSED).exit_code == 0
        pool.check()
        with pytest.raises(OldCatalogError):
            pool.made.prune(limits=NONE_UNUSED)


def test_a_prune_with_a_damaged_catalog_touches_nothing(tmp_path: Path) -> None:
    with in_process(tmp_path) as made:
        pool = Pool(tmp_path, made)
        pool.write("one")
        pool.forget(pool.back_up())
    before = files_on(pool)
    catalog = tmp_path / CATALOG
    size_bytes = catalog.stat().st_size
    with catalog.open("r+b") as file:
        # The first pages hold the tables' names, without which it would be a new catalog.
        file.seek(3 * 4096)
        file.write(b"\xee" * (size_bytes - file.tell()))

    with pytest.raises(CatalogError), in_process(tmp_path) as made, suppress(KeyError):
        made.prune()

    assert files_on(pool) == before
