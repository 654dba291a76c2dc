"""Locks as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.cli.show.times import rfc3339

if TYPE_CHECKING:
    from producer.catalog.tables.locks import LockRow
    from producer.cli.show.json_types.lists import LockJson


def lock_json(lock: LockRow) -> LockJson:
    return {
        "name": lock.name,
        "purpose": lock.purpose,
        "host": lock.owner.host,
        "pid": lock.owner.pid,
        "manager": lock.owner.manager,
        "since": rfc3339(lock.since),
        "renewed": rfc3339(lock.owner.renewed_at),
    }
