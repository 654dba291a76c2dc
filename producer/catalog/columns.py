"""Column types that hold the same value in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

#: A JSON object as ``json.loads`` returns it.
JsonObject = dict[str, Any]


class AnyText(TypeDecorator[str]):
    """Any Python string, even with surrogate escapes or NUL, which neither database accepts as text.

    Stored as the inside of a JSON string: ASCII without quotes and backslashes reads as itself.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value)[1:-1]

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None or "\\" not in value else json.loads(f'"{value}"')


class UtcTime(TypeDecorator[datetime]):
    """An aware time.  SQLite does not store the zone, so times are written and read in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be recorded: {value}")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
