"""A backup that stops when its last segment is stored, before it asks its devices again, until a test releases it."""

from __future__ import annotations

from pathlib import Path

from kit.deadlines import eventually

#: Patches the module when it is imported, not before: a signal may come at any time.
_SITE_CUSTOMIZE = """
import importlib.util, os, sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "producer.backup.storing.storing":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), patch(module.Storing))
        return spec

def patch(storing_class):
    def confirm(storing):
        folder = os.environ["HALT"]
        open(os.path.join(folder, "reached"), "w").close()
        while not os.path.exists(os.path.join(folder, "released")):
            time.sleep(0.02)
        really_confirm(storing)

    really_confirm, storing_class.confirm = storing_class.confirm, confirm

if "backup" in sys.orig_argv or "resume" in sys.orig_argv:
    sys.meta_path.insert(0, Finder())
"""


class Halt:
    """Halts the commands that are started with ``settings``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE_CUSTOMIZE)
        self._folder = folder
        #: Environment variables.
        self.settings = {"PYTHONPATH": str(folder), "HALT": str(folder)}

    @property
    def is_reached(self) -> bool:
        return (self._folder / "reached").exists()

    def wait(self) -> None:
        """Return when all segments are stored."""
        eventually(lambda: self.is_reached, "all segments are stored")

    def release(self) -> None:
        (self._folder / "released").touch()
