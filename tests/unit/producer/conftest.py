"""Every test here works on a real catalog, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.services.postgres import PostgresServer, postgres_server
from producer.catalog.catalog import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "state" / "catalog.sqlite") as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a catalog that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/catalog.sqlite"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
