"""Writes a report about an unexpected error into the state folder, for the user to send."""

from __future__ import annotations

import platform
import sys
import traceback
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def write_report(error: BaseException, folder: Path) -> Path:
    """Write the traceback and the versions into a new file in ``folder``; raises OSError if it cannot."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    moment = datetime.now(UTC)
    path = folder / f"{moment:%Y%m%dT%H%M%S.%fZ}.txt"
    path.write_text(
        f"segfleet {version('segfleet')}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{moment:%Y-%m-%dT%H:%M:%SZ}\n"
        f"{' '.join(map(ascii, sys.argv))}\n\n" + "".join(traceback.format_exception(error)),
        errors="backslashreplace",
    )
    return path
