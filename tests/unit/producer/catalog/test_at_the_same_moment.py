"""Two managers that write the same to a catalog on PostgreSQL at the same moment: neither of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event

from kit.models.rows import T0
from kit.services.postgres import PostgresServer
from producer.catalog.catalog import Catalog
from producer.catalog.tables.checks import VolumeCheck

CHECK = VolumeCheck(volume="v", read_data=True, checked_at=T0, snapshots_count=3, damaged_count=0)
PART = {b"d" * 32: b"a part of a tree"}


@pytest.fixture
def managers(postgres: PostgresServer) -> Iterator[tuple[Catalog, Catalog]]:
    url = postgres.new_database()
    with Catalog(url) as one, Catalog(url) as other:
        yield one, other


def before_it_inserts(catalog: Catalog, act: Callable[[], object]) -> None:
    """``act`` happens once ``catalog`` has looked what is there, just before its next INSERT."""
    acts = [act]

    def act_once(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("INSERT") and acts:
            acts.pop()()

    event.listen(catalog._database._engine, "before_cursor_execute", act_once)


def test_each_begins_a_generation_of_its_own(managers: tuple[Catalog, Catalog]) -> None:
    one, other = managers
    assert one.generations.catalog_id == other.generations.catalog_id
    raised = [one.generations.raise_()]
    before_it_inserts(one, lambda: raised.append(other.generations.raise_()))

    raised.append(one.generations.raise_())

    assert [generation.number for generation in raised] == [1, 2, 3]
    assert all(map(one.generations.knows, raised))


def test_both_record_their_check_of_a_volume(managers: tuple[Catalog, Catalog]) -> None:
    one, other = managers
    before_it_inserts(one, lambda: other.checks.record(CHECK))

    one.checks.record(CHECK)
    one.checks.record(CHECK)

    assert one.checks.by_volume() == {"v": [CHECK]}


def test_both_add_a_part_that_their_trees_share(managers: tuple[Catalog, Catalog]) -> None:
    one, other = managers
    before_it_inserts(one, lambda: other.trees.add_parts(PART))

    one.trees.add_parts(PART)

    assert one.trees.without(PART) == set()
