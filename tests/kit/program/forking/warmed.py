"""The program once each kind of run is behind it: what a process does once, commands that are forked find done.

Statements that SQLAlchemy has compiled, forms of messages, what Celery and redis look up about themselves: all depend
on the code alone.  What depends on the place or the environment is forgotten again.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from functools import cache
from pathlib import Path

from kit.models.in_process import InProcess, in_process
from kit.statements import share_statements
from tasks.app import app
from workers.disks import disks, turns


def warm_up() -> None:
    """Once, in a process without threads that will only fork."""
    share_statements()
    # redis asks for its own at each connection, which reads a file.
    vars(importlib.metadata).update(version=cache(importlib.metadata.version))
    app.finalize()
    # Celery looks for these in the metadata of all packages.
    _ = app.backend, app.control, app.amqp
    with tempfile.TemporaryDirectory(prefix="sf-warm-") as folder, in_process(Path(folder)) as pool:
        _live(pool)
    tempfile.tempdir = None
    disks._disk.cache_clear()
    turns._turns.cache_clear()


def _live(pool: InProcess) -> None:
    source = pool.folder / "data"
    source.mkdir()
    for name in "abc":
        (source / name).write_text(name)
    pool.back_up({"data": source})
    (source / "a").write_text("changed")
    pool.back_up({"data": source})
    pool.check(read_data=True)
    pool.restore()
    pool.prune()
