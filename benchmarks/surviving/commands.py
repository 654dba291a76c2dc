"""Commands that are timed, and the folders that they work on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SEGFLEET = (sys.executable, "-P", "-c", "from producer.cli.start import main; main()")


def segfleet(state: Path, *arguments: str) -> float:
    """How long a command takes, in seconds; ends the benchmark if it fails."""
    configuration = state.with_suffix(".toml")
    configuration.touch(0o600)
    environment = {**os.environ, "SEGFLEET_STATE": str(state), "SEGFLEET_CONFIG": str(configuration)}
    return timed([*SEGFLEET, *arguments], environment=environment)


def timed(command: Sequence[str], *, environment: dict[str, str] | None = None) -> float:
    """How long it takes, in seconds; ends the benchmark if it fails."""
    began_s = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[-3:])} ended with {done.returncode}: {done.stderr or done.stdout}")
    return time.monotonic() - began_s


def places_of(folder: Path, names: Sequence[str]) -> list[str]:
    for name in names:
        (folder / name).mkdir(parents=True)
    return [f"--device={name}={folder / name}" for name in names]


def bytes_in(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())
