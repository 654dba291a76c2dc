"""What is measured: each work with its contenders, and the goals for segfleet's share of their time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from side_by_side.contenders import BareLoop, Borg, Contender, Restic, Segfleet, TarZstd, Zstd, is_installed
from side_by_side.measuring import Cost, run
from side_by_side.pairs import Runs, interleaved

#: Of how many files one is changed.
_EACH = 100

_SETTLED_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """``goals``: contender → the largest share of its time that segfleet may take."""

    key: str
    title: str
    kind: str
    source: Path
    level: int
    contenders: tuple[type[Contender], ...]
    goals: Mapping[str, float]


def works(tree: Path, large: Path) -> list[Work]:
    gigabytes = large.stat().st_size / 1e9
    return [
        Work(
            key="large-backup",
            title=f"One file of {gigabytes:.1f} GB, level 1, first backup",
            kind="backup",
            source=large,
            level=1,
            contenders=(Segfleet, BareLoop, TarZstd, Restic, Borg),
            # 0.85 of the bare loop's throughput is 1 / 0.85 of its time.
            goals={"bare loop": 1.18, "tar | zstd -T0": 0.60, "restic": 0.35, "Borg": 0.35},
        ),
        Work(
            key="tree-backup",
            title=f"The tree {tree.name}, level 3, first backup",
            kind="backup",
            source=tree,
            level=3,
            contenders=(Segfleet, BareLoop, TarZstd, Restic, Borg),
            goals={"tar | zstd -T0": 1.0, "restic": 0.40, "Borg": 0.35},
        ),
        Work(
            key="unchanged",
            title=f"The tree {tree.name}, backed up again, nothing changed",
            kind="again",
            source=tree,
            level=3,
            contenders=(Segfleet, Restic, Borg),
            goals={"restic": 0.5, "Borg": 0.5},
        ),
        Work(
            key="changed",
            title=f"The tree {tree.name}, backed up again, 1 % of the files changed",
            kind="changed",
            source=tree,
            level=3,
            contenders=(Segfleet, Restic, Borg),
            goals={"restic": 0.5, "Borg": 0.5},
        ),
        Work(
            key="tree-restore",
            title=f"The tree {tree.name}, restored",
            kind="restore",
            source=tree,
            level=3,
            contenders=(Segfleet, TarZstd, Restic, Borg),
            goals={"tar | zstd -T0": 0.60, "restic": 0.30, "Borg": 0.20},
        ),
        Work(
            key="large-restore",
            title=f"The file of {gigabytes:.1f} GB, restored",
            kind="restore",
            source=large,
            level=1,
            contenders=(Segfleet, Zstd, Restic, Borg),
            goals={"zstd -d": 0.70, "restic": 0.40},
        ),
    ]


class Bench:
    """Runs works below ``work``; restores go to ``restore_to``, a RAM disk if there is one."""

    def __init__(self, work: Path, restore_to: Path, note: Callable[[str], None]) -> None:
        self._work = work
        self._restore_to = restore_to
        self._note = note

    def measure(self, work: Work, rounds_count: int, only: frozenset[str]) -> dict[str, Runs]:
        contenders = [cls(folder=self._work / "out" / cls.name.split()[0]) for cls in work.contenders]  # type: ignore[call-arg]
        present = [contender for contender in contenders if is_installed(contender)]
        for contender in contenders:
            if contender not in present:
                self._note(f"{contender.name} is not installed, and left out")
        chosen = [contender for contender in present if not only or contender.name in only]
        if work.kind == "changed":
            work = replace(work, source=self._own_copy(work.source))
        if work.kind in ("again", "changed"):
            # What was written a moment ago is never taken as unchanged.
            time.sleep(_SETTLED_S)
        measure = {"backup": self._backup, "restore": self._restore}.get(work.kind, self._again)
        if work.kind != "backup":
            for contender in chosen:
                self._backup(contender, work)
        runs = interleaved(
            {contender.name: partial(measure, contender, work) for contender in chosen},
            rounds_count,
            note=self._note,
        )
        for contender in chosen:
            runs[contender.name].stored_bytes = contender.stored_bytes()
        shutil.rmtree(self._work / "out", ignore_errors=True)
        return runs

    def _backup(self, contender: Contender, work: Work, *, measure_memory: bool = False) -> Cost:
        contender.prepare()
        # What the run before has left to be written must not slow down this one.
        os.sync()
        command = contender.backup(work.source, work.level)
        return run(command, env=contender.env, log=self._log, measure_memory=measure_memory)

    def _again(self, contender: Contender, work: Work) -> Cost:
        if work.kind == "changed":
            change_some(work.source)
            time.sleep(_SETTLED_S)
        os.sync()
        return run(contender.backup_again(work.source, work.level), env=contender.env, log=self._log)

    def _own_copy(self, source: Path) -> Path:
        """A copy that may be changed; it stays for the next time."""
        copy = self._work / "changing" / source.name
        if not copy.exists():
            shutil.copytree(source, copy, symlinks=True)
        return copy

    def _restore(self, contender: Contender, work: Work) -> Cost:
        with _empty_folder(self._restore_to / "segfleet-benchmark") as target:
            os.sync()
            return run(contender.restore(work.source, target), env=contender.env, log=self._log)

    def peak_memory(self, source: Path, level: int) -> int:
        """Bytes, of all processes of a backup together, with two threads on each of two devices."""
        contender = Segfleet(folder=self._work / "out" / "segfleet", threads=2)
        contender.prepare()
        cost = run(contender.backup(source, level), env=contender.env, log=self._log, measure_memory=True)
        shutil.rmtree(self._work / "out", ignore_errors=True)
        return cost.peak_bytes

    @property
    def _log(self) -> Path:
        return self._work / "last-run.log"


def change_some(tree: Path) -> None:
    """Append a byte to each hundredth file, always the same ones, wherever they are."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    for path in files[::_EACH]:
        with path.open("ab") as file:
            file.write(b"x")


@contextmanager
def _empty_folder(path: Path) -> Iterator[Path]:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
