"""JSON Schemas of what commands print with ``--json``, made of the types."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from producer.cli.show.json_types.by_command import ERROR, LINES
from producer.summaries import RewrittenSnapshot

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(command: str) -> dict[str, Any]:
    """The schema of one line of the command's output."""
    types = tuple(dict.fromkeys((*LINES[command], ERROR)))
    schemas, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    lines = list(schemas)
    for place, kind in enumerate(types):
        if isinstance(kind, type) and issubclass(kind, Struct):
            name = f"{kind.__name__}Line"
            components[name] = _with_message(components[kind.__name__], _message_of(kind))
            lines[place] = {"$ref": f"#/$defs/{name}"}
    return {
        "$schema": _DIALECT,
        "title": f"A line of segfleet {command} --json",
        "anyOf": lines,
        "$defs": dict(sorted(components.items())),
    }


def _message_of(kind: type) -> str:
    return "rewritten" if kind is RewrittenSnapshot else "summary"


def _with_message(component: dict[str, Any], message_type: str) -> dict[str, Any]:
    """A struct gets its ``message_type`` as a line of its own, not inside another; there it has all fields."""
    properties = {"message_type": {"const": message_type}, **component["properties"]}
    return {**component, "properties": properties, "required": list(properties)}
