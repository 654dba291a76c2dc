"""Devices that are slow for as long as a test needs that, and not for the rest of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: In slices: what is asleep when the brake is released soon finds that out.
_SITE_CUSTOMIZE = """
import os, sys

def hold():
    from workers.devices.throttled import Pace

    def take(pace, bytes_count):
        while bytes_count > 0 and not os.path.exists(os.environ["BRAKE_RELEASED"]):
            really_take(pace, min(8192, bytes_count))
            bytes_count -= 8192

    really_take, Pace.take = Pace.take, take

class Before:
    def find_spec(self, name, path=None, target=None):
        if name == "workers.__main__":
            hold()

if "workers" in sys.orig_argv:
    hold()
else:
    # A command forks its workers.
    sys.meta_path.insert(0, Before())
"""

_RELEASED = "BRAKE_RELEASED"


class Brake:
    """Holds devices to their ``max-rate`` until it is released: those of the workers started with ``settings``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE_CUSTOMIZE)
        self._released = folder / "released"
        #: Environment variables.
        self.settings = {"PYTHONPATH": str(folder), _RELEASED: str(self._released)}

    def release(self) -> None:
        """From now on the devices are as fast as their disks."""
        self._released.touch()


def hold_forked_worker() -> None:
    """Do in this process what a brake's $PYTHONPATH does where a worker is executed; nothing without a brake."""
    if is_alone_in(os.environ):
        exec(_SITE_CUSTOMIZE, {})


def is_alone_in(environment: Mapping[str, str]) -> bool:
    """Whether $PYTHONPATH is that of a brake, which changes nothing in processes that are no workers."""
    released = environment.get(_RELEASED)
    return released is not None and environment.get("PYTHONPATH") == str(Path(released).parent)
