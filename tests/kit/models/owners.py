"""Owners of locks that are not this process: of other hosts, of processes that are gone, silent for some time."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from producer.catalog.catalog import Catalog
from producer.catalog.database.opening import catalog_url, open_engine
from producer.catalog.schema import owners
from producer.catalog.tables.owners import NewOwner

ELSEWHERE = "another boot pid:[1]"


def enter_owner(
    catalog: Catalog, *, space: str = ELSEWHERE, pid: int = 1, start: str = "1", host: str = "far", manager: str = ""
) -> str:
    """Records an owner as its process would have done; returns its id."""
    owner_id = uuid.uuid4().hex
    catalog.owners.enter(
        NewOwner(owner_id=owner_id, host=host, pid_space=space, pid=pid, process_start=start, manager=manager)
    )
    return owner_id


def change_owners(url: str, *, silent_s: float | None = None, **values: str) -> None:
    """Changes the rows of all owners in the catalog at ``url``; ``silent_s``: how long ago they were renewed last."""
    changes: dict[str, object] = dict(values)
    if silent_s is not None:
        changes["renewed_at"] = datetime.now(UTC) - timedelta(seconds=silent_s)
    engine = open_engine(catalog_url(url))
    with engine.begin() as connection:
        connection.execute(update(owners).values(**changes))
    engine.dispose()
