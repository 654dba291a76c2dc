"""Processes that stand still where a function begins, until a test releases or ends them."""

from __future__ import annotations

from pathlib import Path

from kit.deadlines import eventually

#: Patches the module when it is imported, not before: a signal may come at any time.
_SITE_CUSTOMIZE = """
import importlib.util, os, sys, time

module_name, _, path = os.environ["HALT_AT"].partition(":")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != module_name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), patch(module))
        return spec

def patch(module):
    *owners, name = path.split(".")
    owner = getattr(module, owners[0]) if owners else module
    really = getattr(owner, name)

    def halt(*args, **kwargs):
        open(os.environ["HALT_REACHED"], "w").close()
        while not os.path.exists(os.environ["HALT_RELEASED"]):
            time.sleep(0.02)
        return really(*args, **kwargs)

    setattr(owner, name, halt)

sys.meta_path.insert(0, Finder())
"""


class HaltAt:
    """Halts all processes of a command at ``point``, "module:function" or "module:Class.method"."""

    def __init__(self, folder: Path, point: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(_SITE_CUSTOMIZE)
        self._reached, self._released = folder / "reached", folder / "released"
        self._reached.unlink(missing_ok=True)
        self._point = point
        #: Environment variables.
        self.settings = {
            "PYTHONPATH": str(folder),
            "HALT_AT": point,
            "HALT_REACHED": str(self._reached),
            "HALT_RELEASED": str(self._released),
        }

    def wait(self) -> None:
        eventually(self._reached.exists, f"{self._point} is reached")

    def release(self) -> None:
        self._released.touch()
