"""The programs that are measured: how each makes its first backup, and restores it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

_BENCHMARKS = Path(__file__).resolve().parents[1]


class Contender(Protocol):
    """One program, with a folder of its own for all that it writes.

    ``prepare`` is not timed: it leaves what a user has before a first backup (an empty repository, nothing else).
    """

    name: str

    @property
    def version(self) -> str: ...
    @property
    def env(self) -> dict[str, str]: ...
    def prepare(self) -> None: ...
    def backup(self, source: Path, level: int) -> list[str]: ...
    def backup_again(self, source: Path, level: int) -> list[str]: ...
    def restore(self, source: Path, target: Path) -> list[str]:
        """Restores the last backup, which was of ``source``, into the empty folder ``target``."""

    def stored_bytes(self) -> int: ...


@dataclass(kw_only=True)
class _Base(ABC):
    folder: Path
    threads: int | None = None

    @property
    def env(self) -> dict[str, str]:
        return users_environment()

    @abstractmethod
    def backup(self, source: Path, level: int) -> list[str]: ...

    def backup_again(self, source: Path, level: int) -> list[str]:
        return self.backup(source, level)

    def _empty(self, *parts: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in parts:
            (self.folder / part).mkdir(parents=True)


class Segfleet(_Base):
    name = "segfleet"

    @property
    def version(self) -> str:
        return version("segfleet")

    @property
    def env(self) -> dict[str, str]:
        return super().env | {"SEGFLEET_STATE": str(self.folder / "state")}

    @property
    def devices(self) -> list[str]:
        return [f"--device=a={self.folder / 'a'}", f"--device=b={self.folder / 'b'}"]

    def prepare(self) -> None:
        self._empty("a", "b", "state")

    def backup(self, source: Path, level: int) -> list[str]:
        threads = [f"--threads={self.threads}"] if self.threads else []
        return [program(), "backup", str(source), *self.devices, f"--level={level}", *threads]

    def restore(self, source: Path, target: Path) -> list[str]:
        return [program(), "restore", f"latest:{source.name}", f"--target={target}", *self.devices]

    def stored_bytes(self) -> int:
        return disk_bytes(self.folder / "a") + disk_bytes(self.folder / "b")


class BareLoop(_Base):
    """The limit; it stores in two folders as segfleet does, and restores nothing."""

    name = "bare loop"

    @property
    def version(self) -> str:
        return f"Python {sys.version.split()[0]}, zstandard {version('zstandard')}"

    def prepare(self) -> None:
        self._empty("a", "b")

    def backup(self, source: Path, level: int) -> list[str]:
        folders = [str(self.folder / "a"), str(self.folder / "b")]
        return [sys.executable, str(_BENCHMARKS / "bare_loop"), str(source), *folders, f"--level={level}"]

    def restore(self, source: Path, target: Path) -> list[str]:
        raise NotImplementedError("the bare loop stores only; no work asks it for a restore")

    def stored_bytes(self) -> int:
        return disk_bytes(self.folder)


class TarZstd(_Base):
    """tar and zstd, as one types them.  A single file is restored by zstd alone: that is the faster way."""

    name = "tar | zstd -T0"

    @property
    def version(self) -> str:
        return first_line("zstd", "--version").split("command line interface")[-1].strip(" *")

    def prepare(self) -> None:
        self._empty(".")

    def backup(self, source: Path, level: int) -> list[str]:
        return _shell(
            f"tar -C {shlex.quote(str(source.parent))} -cf - {shlex.quote(source.name)} "
            f"| zstd -q -{level} -T0 -o {shlex.quote(str(self._file))}"
        )

    def restore(self, source: Path, target: Path) -> list[str]:
        return _shell(f"zstd -q -dc {shlex.quote(str(self._file))} | tar -C {shlex.quote(str(target))} -xf -")

    def stored_bytes(self) -> int:
        return disk_bytes(self.folder)

    @property
    def _file(self) -> Path:
        return self.folder / "backup.tar.zst"


class Zstd(TarZstd):
    """zstd alone, for the restore of a single file."""

    name = "zstd -d"

    def backup(self, source: Path, level: int) -> list[str]:
        return ["zstd", "-q", f"-{level}", "-T0", str(source), "-o", str(self._file)]

    def restore(self, source: Path, target: Path) -> list[str]:
        return ["zstd", "-q", "-d", str(self._file), "-o", str(target / source.name)]


class Restic(_Base):
    """Compression "auto", which has no levels; always encrypted."""

    name = "restic"

    @property
    def version(self) -> str:
        return first_line("restic", "version").split()[1]

    @property
    def env(self) -> dict[str, str]:
        return super().env | {
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_REPOSITORY": str(self.folder / "repository"),
            "RESTIC_CACHE_DIR": str(self.folder / "cache"),
        }

    def prepare(self) -> None:
        self._empty(".")
        subprocess.run(
            ["restic", "init", "--repository-version", "2"], env=self.env, check=True, stdout=subprocess.DEVNULL
        )

    def backup(self, source: Path, level: int) -> list[str]:
        return ["restic", "backup", "--quiet", "--compression", "auto", str(source)]

    def restore(self, source: Path, target: Path) -> list[str]:
        return ["restic", "restore", "--quiet", "latest", "--target", str(target)]

    def stored_bytes(self) -> int:
        return disk_bytes(self.folder / "repository")


class Borg(_Base):
    """Not encrypted, as segfleet is."""

    name = "Borg"

    @property
    def version(self) -> str:
        return first_line("borg", "--version").split()[1]

    @property
    def env(self) -> dict[str, str]:
        return super().env | {"BORG_BASE_DIR": str(self.folder / "base"), "BORG_REPO": str(self.folder / "repository")}

    def prepare(self) -> None:
        self._empty("base")
        subprocess.run(["borg", "init", "--encryption", "none"], env=self.env, check=True)

    def backup(self, source: Path, level: int) -> list[str]:
        return self._create("backup", source, level)

    def backup_again(self, source: Path, level: int) -> list[str]:
        # The name of an archive is its own; Borg fills in the time.
        return self._create("again-{now:%Y%m%d%H%M%S%f}", source, level)

    def _create(self, archive: str, source: Path, level: int) -> list[str]:
        return ["borg", "create", "--compression", f"zstd,{level}", f"::{archive}", str(source)]

    def restore(self, source: Path, target: Path) -> list[str]:
        return _shell(f"cd {shlex.quote(str(target))} && borg extract ::backup")

    def stored_bytes(self) -> int:
        return disk_bytes(self.folder / "repository")


def users_environment(**more: str) -> dict[str, str]:
    """This process's, but that compiled modules are kept, as a user has them; and ``more``."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return env | {"LC_ALL": "C.UTF-8"} | more


def program() -> str:
    """The ``segfleet`` that belongs to this interpreter."""
    return str(Path(sys.executable).with_name("segfleet"))


def is_installed(contender: Contender) -> bool:
    commands = {"restic": "restic", "Borg": "borg", "tar | zstd -T0": "zstd", "zstd -d": "zstd"}
    return shutil.which(commands.get(contender.name, sys.executable)) is not None


def first_line(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]


def disk_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _shell(script: str) -> list[str]:
    return ["bash", "-o", "pipefail", "-c", script]
