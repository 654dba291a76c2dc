"""Every test here has a fleet: a redis-server on loopback, and hosts that know it from their configuration."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.services.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server
