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


def bring_back(machine: Machine, target: str | Path, names: str = "", *, snapshot: str = "latest") -> Path:
    """Restore from the machine's devices ``names``, or all that its catalog has, to ``target`` below its folder.

    Fails the test if anything is missing.  Returns the target.
    """
    with _pool_by_name(machine, names) as pool:
        restore(pool, machine.folder / target, snapshot)
        return pool.target


def read_all(machine: Machine, names: str = "") -> None:
    """Check all that is stored on these devices, as :func:`bring_back` chooses them, with their data."""
    with _pool_by_name(machine, names) as pool:
        check_data(pool)


@contextmanager
def pool_of(machine: Machine, folders: Mapping[str, Path]) -> Iterator[InProcess]:
    """What the machine has on the devices in these folders, by their names."""
    with Catalog(machine.catalog) as catalog:
        yield InProcess(machine.folder, catalog, folders=folders)


def restore(pool: InProcess, target: Path, snapshot: str = "latest") -> None:
    """Fails the test if anything is missing."""
    pool.target = target
    summary = pool.restore(snapshot=snapshot)
    assert (summary.exit_code, summary.errors, pool.troubles) == (0, 0, []), (summary, pool.troubles)


def check_data(pool: InProcess) -> None:
    """Read all that is stored; fails the test if anything is damaged or missing."""
    summary = pool.check(read_data=True)
    assert (summary.exit_code, summary.errors, pool.troubles) == (0, 0, []), (summary, pool.troubles)


@contextmanager
def _pool_by_name(machine: Machine, names: str) -> Iterator[InProcess]:
    with Catalog(machine.catalog) as catalog:
        known = {row.name: Path(row.path) for row in catalog.devices.all() if row.state != "lost"}
        folders = {name: machine.device(name) for name in names.split()} or known
        yield InProcess(machine.folder, catalog, folders=folders)
