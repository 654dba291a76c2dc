"""What snapshots have lost, shown at the end and in groups: a device that is away may hold a hundred thousand files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

from msgspec import Struct, field

from producer.cli.call import Call
from producer.cli.show.counts import counted
from producer.cli.show.live.plain_lines import trouble_line
from producer.cli.show.live.watching import Shown, watched
from producer.cli.show.safe_text import escaped
from producer.observer import FileChange, Progress, Trouble
from tasks.errors import UsageError

#: Of each group.
_NAMED_COUNT = 20


class _Group(Struct):
    """What one snapshot has lost on one device, or never had."""

    paths: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)
    #: The first of them.
    named: list[Trouble] = field(default_factory=list)

    def add(self, trouble: Trouble) -> None:
        known, key = (self.paths, trouble.path) if trouble.path else (self.segments, trouble.message)
        if key not in known and len(known) < _NAMED_COUNT:
            self.named.append(trouble)
        known.add(key)

    @property
    def left_count(self) -> int:
        return max(0, len(self.paths) - _NAMED_COUNT)


class LostFiles:
    """Passes all to ``inner`` but what a snapshot has lost, which it shows in groups.

    ``file`` gets a line for each lost file.  With JSON lines nothing is grouped: each is an object of its own.
    ``has_option``: the command takes ``--lost-files``; otherwise a check lists what is left out.
    """

    def __init__(self, inner: Shown, *, file: TextIO | None, is_json: bool, has_option: bool = True) -> None:
        self._inner = inner
        self._has_option = has_option
        self._file = file
        self._is_json = is_json
        self._groups: dict[tuple[str, str], _Group] = {}

    def worker_started(self, device: str, pid: int) -> None:
        self._inner.worker_started(device, pid)

    def file(self, change: FileChange, path: str) -> None:
        self._inner.file(change, path)

    def note(self, text: str) -> None:
        self._inner.note(text)

    def progress(self, progress: Progress) -> None:
        self._inner.progress(progress)

    def trouble(self, trouble: Trouble) -> None:
        self.record(trouble)
        if trouble.snapshot_id and not self._is_json:
            self._groups.setdefault((trouble.snapshot_id, trouble.device), _Group()).add(trouble)
        else:
            self._inner.trouble(trouble)

    def record(self, trouble: Trouble) -> None:
        """Write a lost file into the list."""
        if trouble.snapshot_id and trouble.path and self._file is not None:
            columns = (trouble.snapshot_id, trouble.device, trouble.path, trouble.message)
            self._file.write("\t".join(map(escaped, columns)) + "\n")

    def tell(self) -> None:
        """Show the groups: how much, the first of it, and how to see the rest.

        A check names what several snapshots lack once, for the first of them.
        """
        told: set[str] = set()
        for (snapshot_id, device), group in self._groups.items():
            where = f"snapshot {snapshot_id[:8]}" + (f", device {device}" if device else "")
            inside = f" in {counted(len(group.segments), 'segment')}" if group.segments else ""
            further = "further " if told - {snapshot_id} else ""
            files = counted(len(group.paths), f"{further}file or folder", f"{further}files or folders")
            what = f"{files}{inside} cannot be restored as a whole"
            self._inner.note(
                f"{where}: {what if group.paths else f'something is lost{inside}, but of no {further}file'}"
            )
            told.add(snapshot_id)
            for trouble in group.named:
                self._inner.note("  " + trouble_line(trouble).removeprefix("segfleet: "))
            if group.left_count:
                command = "" if self._has_option else f"segfleet check {snapshot_id[:8]} "
                self._inner.note(f"  and {group.left_count} more: {command}--lost-files FILE lists them all")
        self._groups.clear()


@contextmanager
def watched_for_losses(call: Call, lost_files: str | None, *, has_option: bool = True) -> Iterator[LostFiles]:
    """As :func:`watched`, in groups; ``lost_files`` names a file for all of them.  ``has_option``: see LostFiles.

    Raises UsageError if that cannot be written.
    """
    with ExitStack() as stack:
        file = None if lost_files is None else stack.enter_context(_opened(lost_files))
        losses = LostFiles(stack.enter_context(watched(call)), file=file, is_json=call.json, has_option=has_option)
        stack.callback(losses.tell)
        yield losses


def _opened(name: str) -> TextIO:
    try:
        return open(name, "w", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {error.strerror}", hint="give --lost-files a file that you can write", path=name
        ) from error
