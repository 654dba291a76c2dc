"""The extents of an order as one stream, at their planned sizes, whatever has happened to the files.

What cannot be read becomes zeros and a note, so the layout of a segment follows from its order alone.  Each file takes
open, fstat, readv, fstat, close and no object that outlives them: 6.7 us, of which the system calls take 5.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from tasks.receipts import ExtentNote, ExtentTrouble, FileState
from tasks.sources.mtimes import packable
from tasks.sources.states import WalkedStates
from tasks.values import Extents
from workers.sources.content import ContentDigests
from workers.sources.files import SourceFiles
from workers.sources.kept_times import KeptTimes

#: Below this the kernel's own guesses are good enough, and two more system calls would cost too much.
_ADVISE_MIN_BYTES = 4 * 1024 * 1024

_VANISHED = frozenset({errno.ENOENT, errno.ESTALE})

_ZEROS = bytes(1024 * 1024)


class ExtentStream:
    """Reads ``extents`` of ``files`` in order; ``notes`` lists what was not as planned, ``digests`` are
    those of the bytes that were read.

    ``states``: what the walk saw of each file, which is compared with the file that is read; None where it is not.
    ``kept_times``: what is known of the view of the source; None where it is the walk's own.
    ``spooled``: the file holds the one extent alone, and is nobody's file.

    For one thread at a time.  ``is_piece``: all extents are of one file, which leaves its state in ``file_state``
    (``seen``: its state when other parts of it were read); as does a single extent, unless ``is_one_file`` says that it
    is one of a bundle.  Otherwise each is a whole file, but for those of files with holes, ``sparse``.
    """

    def __init__(
        self,
        files: SourceFiles,
        extents: Extents,
        states: WalkedStates | None = None,
        *,
        kept_times: KeptTimes | None = None,
        is_piece: bool = False,
        sparse: Iterable[int] = (),
        is_one_file: bool | None = None,
        seen: FileState | None = None,
        spooled: bool = False,
    ) -> None:
        self.notes: list[ExtentNote] = []
        self.file_state: FileState | None = None
        self.digests = ContentDigests(extents)
        self._files = files
        self._extents = extents
        self._states = states
        self._kept_times = kept_times
        self._is_piece = is_piece
        self._is_one_file = is_piece or (len(extents) == 1 if is_one_file is None else is_one_file)
        self._seen = seen
        self._sparse = frozenset(sparse)
        self._spooled = spooled
        #: Where each extent begins in its file.
        self._offsets_bytes = (0,) if spooled else extents.offsets_bytes
        self._index = 0
        # Of the extent at _index: bytes returned, bytes actually read, what is wrong, the open file.
        self._given_bytes = 0
        self._read_bytes = 0
        self._trouble: tuple[ExtentTrouble, str] | None = None
        self._has_ended = False
        self._fd = -1
        self._before: os.stat_result | None = None
        self._drop_cache = False
        # Whether a file ends where its size says is seen by asking for one more byte.
        self._beyond = bytearray(1)

    def __enter__(self) -> ExtentStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close_file()

    def fill(self, buffer: memoryview) -> int:
        """Write the next bytes of the stream to ``buffer``; returns how many, fewer only at the end."""
        filled_bytes = 0
        sizes_bytes = self._extents.sizes_bytes
        while filled_bytes < len(buffer) and self._index < len(sizes_bytes):
            rest_bytes = sizes_bytes[self._index] - self._given_bytes
            part = buffer[filled_bytes : filled_bytes + rest_bytes]
            filled_bytes += len(part)
            if len(part) == sizes_bytes[self._index] < _ADVISE_MIN_BYTES and self._read_whole_file(part):
                self._index += 1
            else:
                self._read_part(part, is_last=len(part) == rest_bytes)
        return filled_bytes

    def _read_whole_file(self, part: memoryview) -> bool:
        """The usual case, in as few steps as possible; False when anything is not as planned."""
        if not self._is_whole_file():
            return False
        try:
            fd = self._files.open(self._extents.paths[self._index])
            try:
                before = os.fstat(fd)
                read_bytes = os.readv(fd, [part, self._beyond]) if stat.S_ISREG(before.st_mode) else -1
                after = os.fstat(fd)
            finally:
                os.close(fd)
        except OSError:
            return False
        mtime_ns = before.st_mtime_ns
        unchanged = mtime_ns == after.st_mtime_ns and not self._difference(before)
        if not unchanged or not before.st_size == after.st_size == read_bytes == len(part):
            return False
        self.digests.add_whole(part)
        return True

    def _read_part(self, part: memoryview, *, is_last: bool) -> None:
        if not self._given_bytes:
            self._open_file(part)
        self._read(part)
        self._given_bytes += len(part)
        if is_last:
            self._end_extent()

    def _open_file(self, part: memoryview) -> None:
        try:
            self._fd = self._files.open(self._extents.paths[self._index])
            self._before = os.fstat(self._fd)
        except OSError as error:
            self._fail(error)
            return
        if not stat.S_ISREG(self._before.st_mode):
            self._trouble = ("unreadable", "no longer a regular file")
            self._close_file()
            return
        difference = self._difference(self._before)
        if difference:
            self._trouble = ("changed", difference)
        self._check_size(self._before.st_size)
        if self._extents.sizes_bytes[self._index] >= _ADVISE_MIN_BYTES:
            self._advise(part)

    def _is_whole_file(self) -> bool:
        return not self._is_one_file and self._index not in self._sparse

    def _difference(self, status: os.stat_result) -> str:
        """Why the open file is not the one that the walk saw."""
        if self._states is None:
            return ""
        kept, index = self._kept_times, self._index
        return self._states.difference(
            index,
            status,
            is_same_view=kept is None,
            # Data that was written into a hole since the walk is in no order.
            is_piece=self._is_piece and index not in self._sparse,
            keeps_ctime=kept is not None and kept.is_kept(self._states, index, status),
        )

    def _check_size(self, size_bytes: int) -> None:
        offset_bytes = self._offsets_bytes[self._index]
        end_bytes = offset_bytes + self._extents.sizes_bytes[self._index]
        if size_bytes < end_bytes or (self._is_whole_file() and size_bytes > end_bytes):
            self._trouble = ("changed", f"has {size_bytes} bytes; {end_bytes} were planned")

    def _advise(self, part: memoryview) -> None:
        """Ask for read-ahead, and check whether the file is in the cache: what was not there is dropped again."""
        offset_bytes = self._offsets_bytes[self._index]
        try:
            os.posix_fadvise(self._fd, offset_bytes, 0, os.POSIX_FADV_SEQUENTIAL)
            os.preadv(self._fd, [part[:1]], offset_bytes, os.RWF_NOWAIT)
        except BlockingIOError:
            self._drop_cache = True
        except OSError:
            # A file system without RWF_NOWAIT; a file that cannot be read fails at its next read.
            self._drop_cache = False

    def _read(self, part: memoryview) -> None:
        """Fill ``part`` from the open file, then with zeros."""
        at_bytes = self._offsets_bytes[self._index] + self._given_bytes
        done_bytes = 0
        try:
            while self._fd >= 0 and not self._has_ended and done_bytes < len(part):
                count = os.preadv(self._fd, [part[done_bytes:]], at_bytes + done_bytes)
                if not count:
                    # What is written there from now on is not part of what was read.
                    self._has_ended = True
                    self._trouble = self._trouble or ("changed", "was truncated while it was read")
                    break
                done_bytes += count
        except OSError as error:
            self._fail(error)
        self._read_bytes += done_bytes
        self.digests.add(part[:done_bytes])
        for start in range(done_bytes, len(part), len(_ZEROS)):
            hole = part[start : start + len(_ZEROS)]
            hole[:] = _ZEROS[: len(hole)]

    def _end_extent(self) -> None:
        if self._fd >= 0:
            self._look_again()
            self._close_file()
        if self._trouble is not None:
            trouble, message = self._trouble
            note = ExtentNote(index=self._index, trouble=trouble, read_bytes=self._read_bytes, message=message)
            self.notes.append(note)
        self.digests.end_extent()
        self._index += 1
        self._given_bytes = self._read_bytes = 0
        self._trouble, self._has_ended = None, False

    def _look_again(self) -> None:
        before = self._before
        assert before is not None
        try:
            after = os.fstat(self._fd)
        except OSError as error:
            self._fail(error)
            return
        if self._trouble is None and (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            self._trouble = ("changed", "was written while it was read")
        if self._trouble is None and self._goes_on(after.st_size):
            self._trouble = ("changed", f"has more data than its size of {after.st_size} bytes; that many are stored")
        if self._is_one_file and not self._spooled:
            ctime_ns = packable(after.st_ctime_ns) if self._shows_ctime(after) else None
            mtime_ns = packable(after.st_mtime_ns)
            self.file_state = FileState(size_bytes=after.st_size, mtime_ns=mtime_ns, ctime_ns=ctime_ns)
            if self._trouble is None and self._seen not in (None, self.file_state):
                self._trouble = ("changed", "was written while parts of it were read")
            self._seen = self.file_state

    def _shows_ctime(self, status: os.stat_result) -> bool:
        """Whether the time of change means here what it means on other hosts."""
        if self._kept_times is None or self._states is None:
            return True
        return self._kept_times.is_kept(self._states, self._index, status)

    def _goes_on(self, size_bytes: int) -> bool:
        """Whether the file that ends with this extent gives more than its size."""
        end_bytes = self._offsets_bytes[self._index] + self._extents.sizes_bytes[self._index]
        try:
            return end_bytes == size_bytes and bool(os.preadv(self._fd, [self._beyond], end_bytes))
        except OSError:
            return False

    def _fail(self, error: OSError) -> None:
        trouble: ExtentTrouble = "vanished" if error.errno in _VANISHED else "unreadable"
        self._trouble = (trouble, os.strerror(error.errno or errno.EIO))
        self._close_file()

    def _close_file(self) -> None:
        if self._fd < 0:
            return
        if self._drop_cache:
            os.posix_fadvise(self._fd, self._offsets_bytes[self._index], self._given_bytes, os.POSIX_FADV_DONTNEED)
            self._drop_cache = False
        os.close(self._fd)
        self._fd = -1
