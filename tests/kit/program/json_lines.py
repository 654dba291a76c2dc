"""What commands print with --json, held against its documentation."""

from __future__ import annotations

from collections.abc import Iterable

import jsonschema

from kit.program.command import Row
from producer.cli.show.json_types.schema import schema_of


def follow_their_schema(command: str, rows: Iterable[Row]) -> None:
    """Fail the test unless each line is as ``segfleet schema`` says of the command, and has no field besides."""
    schema = schema_of(command.split()[0])
    validator = jsonschema.Draft202012Validator(schema)
    lines = [set(one["properties"]) for one in schema["$defs"].values() if "message_type" in one["properties"]]
    for row in rows:
        assert [error.message for error in validator.iter_errors(row)] == [], (command, row)
        # A field that no type has is not documented.
        assert any(row.keys() <= fields for fields in lines), (command, row)
