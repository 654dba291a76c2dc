"""Secrets from the environment, or from the files that it names: containers and systemd mount secrets as files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from producer.host.scouting.looks import look
from tasks.errors import UsageError

_FILE_SUFFIX = "_FILE"


def secret(variable: str, environ: Mapping[str, str]) -> str | None:
    """The value of ``variable``, else the first line of the file that ``<variable>_FILE`` names; None without both.

    Raises UsageError for a file that cannot be read or is empty; it quotes nothing of the file.
    """
    value, file = environ.get(variable), environ.get(variable + _FILE_SUFFIX)
    if value or not file:
        return value or None
    try:
        text = look(Path(file), partial(Path.read_text, encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _unusable(variable, file, f"cannot be read: {why}") from None
    value = text.partition("\n")[0].strip()
    if not value:
        raise _unusable(variable, file, "is empty")
    return value


def _unusable(variable: str, file: str, why: str) -> UsageError:
    return UsageError(
        f"{file}, which {variable}{_FILE_SUFFIX} names, {why}",
        hint=f"the value of {variable} must be its first line, readable for the user that segfleet runs as",
        path=file,
    )
