"""JSON Schemas of what commands print with ``--json``, made of the types."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from producer.cli.show.json_types.by_command import ERROR, LINES
from producer.summaries import RewrittenSnapshot

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(command: str) -> dict[str, Any]:
    """The schema of one line of the command's output."""
    types = tuple(dict.fromkeys((*LINES[command], ERROR)))
    lines, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for kind in types:
        if dataclasses.is_dataclass(kind):
            _name_message(components[kind.__name__], "rewritten" if kind is RewrittenSnapshot else "summary")
    return {
        "$schema": _DIALECT,
        "title": f"A line of segfleet {command} --json",
        "anyOf": list(lines),
        "$defs": dict(sorted(components.items())),
    }


def _name_message(component: dict[str, Any], message_type: str) -> None:
    """A dataclass gets its ``message_type`` when it is printed, and then has all its fields."""
    component["properties"] = {"message_type": {"const": message_type}, **component["properties"]}
    component["required"] = list(component["properties"])
