"""Whether anything was committed since an earlier look."""

from __future__ import annotations

from datetime import UTC, datetime

from producer.catalog.catalog import Catalog
from producer.catalog.tables.checks import VolumeCheck


def write(catalog: Catalog) -> None:
    catalog.checks.record(
        VolumeCheck(volume="home", read_data=True, checked_at=datetime.now(UTC), snapshots_count=1, damaged_count=0)
    )


def test_the_version_stays_while_everybody_only_reads(catalog: Catalog, catalog_url: str) -> None:
    with Catalog(catalog_url) as other:
        first = catalog.version()
        assert other.checks.by_volume() == catalog.checks.by_volume()
        assert catalog.version() == first


def test_each_commit_of_another_process_changes_the_version(catalog: Catalog, catalog_url: str) -> None:
    with Catalog(catalog_url) as other:
        seen = [catalog.version()]
        for _ in range(3):
            write(other)
            seen.append(catalog.version())
    assert len(set(seen)) == 4


def test_own_commits_change_the_version(catalog: Catalog) -> None:
    first = catalog.version()
    write(catalog)
    assert catalog.version() != first


def test_a_version_is_of_the_rows_that_its_look_reads(catalog: Catalog, catalog_url: str) -> None:
    with Catalog(catalog_url) as other, catalog.reading():
        first = catalog.version()
        write(other)
        rows = catalog.checks.by_volume()
        # A look that reads old rows has the old version.  PostgreSQL reads new rows, which the next look reads again.
        assert (catalog.version() == first) == (not rows)
    assert catalog.version() != first
