"""Every test here has a fleet: a redis-server on loopback, and hosts that know it from their configuration."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.services.fleet import fleet as new_fleet
from kit.services.postgres import PostgresServer, postgres_server
from kit.services.site import Site


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def shared_site() -> Iterator[Site]:
    """One for the tests of a file that leave its manager and agents as they are."""
    with new_fleet() as made:
        yield Site(made)
