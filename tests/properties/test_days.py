"""Days of a tree: changes, backups that may be interrupted, devices that go away, come back or are lost.

Every sealed snapshot restores to exactly the tree of its time, compared with a kept copy.  What lay on a lost device
and has changed since may be missing; then it is named, and nothing else is wrong.  The code of workers and manager is
the program's own; only the broker is missing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from kit.models.in_process import in_process
from kit.tree import noise
from producer.catalog.tables.devices import DeviceRow
from producer.pool.losses.lost import mark_lost
from tasks.orders import Order, StoreSegment

PATHS = st.sampled_from(["a", "b", "c", "one/a", "one/b", "two/a", "two/deep/a"])
FOLDERS = st.sampled_from(["one", "two", "two/deep", "three"])
#: Small enough for a bundle, and large enough for several segments.
SIZES = st.sampled_from([0, 10, 3_000, 150_000])
DEVICES = st.sampled_from("ab")

#: Of files: seconds, all long before the first backup, so that what has an old time counts as unchanged.
_FIRST_S = 10**9

#: Path → mode, time, bytes.
_Tree = dict[str, tuple[int, int, bytes]]


class Killed(Exception):
    """The manager dies, after it has sent some orders."""


class Days(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="sf-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.run = self.stack.enter_context(in_process(self.folder))
        self.run.ignore_ctime = True
        self.root = self.folder / "src"
        self.now_s = _FIRST_S
        self.away = ""
        #: Whether a device was lost since the last backup.
        self.has_lost = False
        #: Of each snapshot what the tree was, and whether something of it may be lost.
        self.kept: dict[str, _Tree] = {}
        self.may_lack: set[str] = set()

    def teardown(self) -> None:
        self.bring_back()
        try:
            self.restore_all()
        finally:
            self.stack.close()

    # ---- the tree

    @initialize()
    def begin(self) -> None:
        self.root.mkdir()
        for number, path in enumerate(("a", "one/a", "one/b", "two/a")):
            self.write(path, 2_000 + number, number)
        self.write("large", 300_000, 1)

    @rule(path=PATHS, size=SIZES, seed=st.integers(0, 5))
    def write(self, path: str, size: int, seed: int) -> None:
        file = self.root / path
        if any(above.is_file() for above in file.parents) or file.is_dir():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(noise(size, seed))
        self._stamp(file)

    @rule(seed=st.integers(0, 5), place=st.integers(0, 290_000))
    def change_inside(self, seed: int, place: int) -> None:
        with (self.root / "large").open("r+b") as file:
            file.seek(place)
            file.write(noise(100, seed))
        self._stamp(self.root / "large")

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        if (self.root / path).is_file():
            (self.root / path).unlink()

    @rule(path=PATHS)
    def touch(self, path: str) -> None:
        if (self.root / path).is_file():
            self._stamp(self.root / path)

    @rule(path=PATHS, mode=st.sampled_from([0o600, 0o644, 0o4755]))
    def change_mode(self, path: str, mode: int) -> None:
        """Of a file that counts as unchanged."""
        if (self.root / path).is_file():
            (self.root / path).chmod(mode)

    @rule(path=FOLDERS, to=FOLDERS)
    def rename_folder(self, path: str, to: str) -> None:
        is_free = not (self.root / to).exists() and (self.root / to).parent.is_dir()
        if (self.root / path).is_dir() and is_free and path not in map(str, Path(to).parents):
            (self.root / path).rename(self.root / to)

    def _stamp(self, file: Path) -> None:
        self.now_s += 1
        os.utime(file, (self.now_s, self.now_s))

    # ---- backups

    @rule()
    def back_up(self) -> None:
        shutil.rmtree(self.run.target, ignore_errors=True)
        done = self.run.back_up({"src": self.root}, has_troubles=True, segment_bytes=128 * 1024)
        assert done.snapshot_id is not None
        self.kept[done.snapshot_id] = tree_of(self.root)
        self.has_lost = False
        if not self.away:
            assert (done.exit_code, done.incomplete) == (0, ()), (self.run.troubles, self.run.notes)

    @rule(count=st.integers(0, 3))
    def interrupt(self, count: int) -> None:
        stored = 0

        def before(order: Order) -> None:
            nonlocal stored
            stored += isinstance(order, StoreSegment)
            if stored > count:
                raise Killed

        self.run.before = before
        try:
            self.back_up()
        except Killed:
            pass
        finally:
            self.run.before = lambda order: None

    # ---- devices

    @precondition(lambda self: self.kept and not self.away and not self.has_lost)
    @rule(device=DEVICES)
    def take_away(self, device: str) -> None:
        self.away = device
        self._device(device).rename(self.folder / "away")

    @precondition(lambda self: self.away)
    @rule()
    def bring_back(self) -> None:
        if self.away:
            shutil.rmtree(self._device(self.away), ignore_errors=True)
            (self.folder / "away").rename(self._device(self.away))
            self.away = ""

    # Never both: then no device of the pool is left.
    @precondition(lambda self: self.kept and not self.away and not self.has_lost)
    @rule(device=DEVICES)
    def lose(self, device: str) -> None:
        row = self._row(device)
        if row is not None:
            mark_lost(self.run.catalog, row)
            shutil.rmtree(self._device(device))
            self._device(device).mkdir()
            self.may_lack |= self.kept.keys()
            self.has_lost = True

    def _device(self, name: str) -> Path:
        return self.folder / "devices" / name

    def _row(self, name: str) -> DeviceRow | None:
        rows = self.run.catalog.devices.all()
        return next((row for row in rows if row.name == name and row.state != "lost"), None)

    # ---- what must hold

    @precondition(lambda self: self.kept and not self.away)
    @rule()
    def restore_all(self) -> None:
        for snapshot_id, kept in self.kept.items():
            shutil.rmtree(self.run.target, ignore_errors=True)
            done = self.run.restore(snapshot=snapshot_id)
            found = tree_of(self.run.target / "src")
            if snapshot_id not in self.may_lack:
                assert (done.exit_code, found) == (0, kept), self.run.troubles
                continue
            named = {path.removeprefix("src/") for path, _ in self.run.troubles}
            assert found.items() <= kept.items()
            assert kept.keys() - found.keys() <= named
            assert (done.exit_code == 0) == (found == kept)


def tree_of(root: Path) -> _Tree:
    """Each file: its mode, its time, and its bytes."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): _look_at(path) for path in files}


def _look_at(path: Path) -> tuple[int, int, bytes]:
    status = path.stat()
    return status.st_mode, status.st_mtime_ns, path.read_bytes()


TestDays = Days.TestCase
# The same examples each time, and no shrinking: a step takes a quarter of a second.
TestDays.settings = settings(
    derandomize=True,
    max_examples=6,
    stateful_step_count=10,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
