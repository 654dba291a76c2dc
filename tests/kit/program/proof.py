"""Whether all that a machine has stored comes back, found out by the program's code in the process of the tests.

A restore and a check by commands take two seconds of processor time, with their broker and workers; these a tenth of
that.  For tests whose claim is about something else than how restores and checks run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kit.models.in_process import InProcess
from kit.program.machine import Machine
from producer.catalog.catalog import Catalog


@contextmanager
def pool_of(machine: Machine, folders: Mapping[str, Path]) -> Iterator[InProcess]:
    """What the machine has on the devices in these folders, by their names."""
    with Catalog(machine.catalog) as catalog:
        yield InProcess(machine.folder, catalog, folders=folders)


def bring_back(machine: Machine, target: Path, names: str, snapshot: str = "latest", path: str = "") -> Path:
    """``target``, with what is restored from the machine's devices ``names``; fails the test if anything is missing."""
    with pool_of(machine, {name: machine.device(name) for name in names.split()}) as pool:
        restore(pool, target, snapshot, path)
    return target


def restore(pool: InProcess, target: Path, snapshot: str = "latest", path: str = "") -> None:
    """As :func:`bring_back`."""
    pool.target = target
    summary = pool.restore(path, snapshot=snapshot)
    assert (summary.exit_code, summary.errors, pool.troubles) == (0, 0, []), (summary, pool.troubles)


def check_data(pool: InProcess) -> None:
    """Read all that is stored; fails the test if anything is damaged or missing."""
    summary = pool.check(read_data=True)
    assert (summary.exit_code, summary.errors, pool.troubles) == (0, 0, []), (summary, pool.troubles)
