"""Changes a tree at random, and remembers every state that each path has had."""

from __future__ import annotations

import os
import random
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from kit.tree import noise

#: Longer than the ticks of file times: two changes of one file have two times.
PAUSE_S = 0.02


class State(NamedTuple):
    """What was at a path; ``content`` is a digest of a file's, or what a symlink leads to."""

    kind: str
    mode: int
    mtime_ns: int
    content: bytes


def state_of(path: Path) -> State:
    found = path.lstat()
    content = b""
    if stat.S_ISREG(found.st_mode):
        content = blake2b(path.read_bytes()).digest()
    elif stat.S_ISLNK(found.st_mode):
        content = os.fsencode(os.readlink(path))
    is_folder = stat.S_ISDIR(found.st_mode)
    # What is in a folder changes its time.
    return State(
        stat.filemode(found.st_mode)[0], stat.S_IMODE(found.st_mode), 0 if is_folder else found.st_mtime_ns, content
    )


class Mutator:
    """One change at a time, of the files below ``root`` but for ``untouched``; the same ones for the same seed."""

    def __init__(self, root: Path, seed: int, untouched: Collection[str]) -> None:
        self._root = root
        self._random = random.Random(seed)
        self._untouched = untouched
        #: Path below ``root`` → all that was there.
        self.states: defaultdict[str, set[State]] = defaultdict(set)
        #: How often each kind of change was made.
        self.changes: Counter[str] = Counter()
        self._names = iter(range(10**9))
        for path in self._all():
            self._note(path)

    def change(self) -> None:
        """Change one file or folder."""
        files = [path for path in self._all() if path.is_file() and not path.is_symlink()]
        files = [path for path in files if path.name not in self._untouched]
        if files:
            changes: list[Callable[[Path], None]] = [
                *(self.append, self.truncate, self.rewrite, self.change_mode, self.rename, self.replace),
                *(self.delete, self.make_folder, self.make_symlink, self.rename_folder),
            ]
            change = self._random.choices(changes, weights=[4, 3, 4, 3, 3, 4, 1, 1, 1, 1])[0]
            change(self._random.choice(files))
            self.changes[change.__name__] += 1

    # ---- changes; what a path holds is noted after each

    def append(self, path: Path) -> None:
        with path.open("ab", buffering=0) as file:
            file.write(self._noise(5000))
        self._note(path)

    def truncate(self, path: Path) -> None:
        os.truncate(path, self._random.randint(0, path.stat().st_size))
        self._note(path)

    def rewrite(self, path: Path) -> None:
        """Other bytes in place; the size stays."""
        size_bytes = path.stat().st_size
        with path.open("r+b", buffering=0) as file:
            file.seek(self._random.randint(0, size_bytes // 2))
            file.write(self._noise(min(5000, size_bytes // 2)))
        self._note(path)

    def change_mode(self, path: Path) -> None:
        path.chmod(self._random.choice([0o600, 0o644, 0o755, 0o4755]))
        self._note(path)

    def rename(self, path: Path) -> None:
        self._move(path, path.with_name(f"moved {next(self._names)}"))

    def replace(self, path: Path) -> None:
        """As editors save."""
        new = path.with_name(f"new {next(self._names)}")
        new.write_bytes(self._noise(path.stat().st_size))
        self._move(new, path)

    def delete(self, path: Path) -> None:
        path.unlink()

    def make_folder(self, path: Path) -> None:
        path.unlink()
        path.mkdir()
        self._note(path)
        (path / "inside").write_bytes(self._noise(100))
        self._note(path / "inside")

    def make_symlink(self, path: Path) -> None:
        path.unlink()
        path.symlink_to("/etc/passwd")
        self._note(path)

    def rename_folder(self, path: Path) -> None:
        if path.parent != self._root and not any((path.parent / name).exists() for name in self._untouched):
            self._move(path.parent, path.parent.with_name(f"moved {next(self._names)}"))

    # ---- what is there

    def _all(self) -> list[Path]:
        return sorted(self._root.rglob("*"))

    def _move(self, path: Path, to: Path) -> None:
        self._note(path)
        path.rename(to)
        for moved in (to, *(to.rglob("*") if to.is_dir() else ())):
            self._note(moved)

    def _note(self, path: Path) -> None:
        self.states[str(path.relative_to(self._root))].add(state_of(path))

    def _noise(self, size_bytes: int) -> bytes:
        return noise(size_bytes, self._random.getrandbits(32))
