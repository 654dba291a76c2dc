"""A PostgreSQL that stands still keeps nobody for ever, and one that only takes long is waited for."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from kit.services.postgres import PostgresServer
from producer.catalog.catalog import Catalog
from producer.catalog.database import opening
from producer.catalog.database.opening import catalog_url, open_engine
from producer.catalog.database.silent_server import LIMIT_VARIABLE
from tasks.errors import CatalogError


@pytest.fixture
def url(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.3")
    # The driver's shortest.
    monkeypatch.setitem(opening._SERVER_LIMITS, "connect_timeout", 2)
    return postgres.new_database()


def test_a_statement_fails_when_the_server_stands_still_and_the_next_one_works(
    url: str, postgres: PostgresServer
) -> None:
    with Catalog(url) as catalog:
        with postgres.standing_still(), pytest.raises(CatalogError):
            catalog.runs.all()
        assert list(catalog.runs.all()) == []


def test_a_transaction_that_the_server_leaves_unanswered_is_undone(url: str, postgres: PostgresServer) -> None:
    with Catalog(url) as catalog, pytest.raises(CatalogError) as raised, catalog.transaction():
        catalog.generations.become("c" * 32)
        with postgres.standing_still():
            catalog.runs.all()

    assert "has not answered for 0 s" in raised.value.message
    with Catalog(url) as catalog:
        assert catalog.generations.catalog_id != "c" * 32


def test_a_statement_that_takes_longer_than_the_limit_is_waited_for(url: str) -> None:
    engine = open_engine(catalog_url(url))
    with engine.connect() as connection:
        assert connection.execute(text("select 7 from pg_sleep(1)")).scalar() == 7
    engine.dispose()
