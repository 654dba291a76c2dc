"""The text of the configuration file that a command reads."""

from __future__ import annotations

from pathlib import Path

from producer.cli.call import Call
from producer.host.scouting.looks import look
from tasks.errors import UsageError


def file_of(call: Call) -> tuple[Path, str]:
    """Its path and its text; raises UsageError where there is none."""
    path = call.configuration_path
    if path is None:
        raise UsageError(
            "there is no configuration file",
            hint="segfleet init writes one; or name yours with --config",
        )
    return path, look(path, _text)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
