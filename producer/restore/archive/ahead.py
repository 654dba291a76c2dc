"""Fetches the bytes of an archive's members a few units ahead of the writer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from producer.restore.archive.members import Member
from producer.restore.reading.fetches import Fetch, Fetches
from producer.restore.reading.ways import Piece, zeros
from tasks.errors import DamagedError

#: Ranges that are being fetched, or wait to be written.
_AHEAD_COUNT = 4

#: Members and parts of members that wait; small files may be many in one unit.
_WAITING_COUNT = 16_384


class _Range:
    """A range of one unit that is fetched as a whole; its parts are taken in order."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        #: None while the range may still grow.
        self.fetch: Fetch | None = None
        self._taken_bytes = 0
        self._blocks: Iterator[bytes] = iter(())
        self._block = memoryview(b"")

    def grow(self, piece: Piece, unit_bytes: int) -> bool:
        """Add a piece that follows in the same unit; returns whether it does."""
        own, stop_bytes = self.piece, self.piece.stream_offset_bytes + self.piece.size_bytes
        is_next = piece.object.key == own.object.key and piece.stream_offset_bytes == stop_bytes
        if not is_next or not stop_bytes % unit_bytes:
            return False
        self.piece = replace(own, size_bytes=own.size_bytes + piece.size_bytes)
        return True

    def take(self, size_bytes: int, fetches: Fetches) -> Iterator[bytes]:
        """The next bytes.  Raises DamagedError when they are lost."""
        assert self.fetch is not None
        fetches.wait(self.fetch)
        if self.fetch.error is not None:
            raise self.fetch.error
        if not self._taken_bytes:
            self._blocks = fetches.read(self.fetch)
        self._taken_bytes += size_bytes
        while size_bytes:
            self._block = self._block or memoryview(next(self._blocks))
            part, self._block = self._block[:size_bytes], self._block[size_bytes:]
            size_bytes -= len(part)
            yield bytes(part)
        if self._taken_bytes == self.piece.size_bytes:
            # Read it to its end, which removes the temporary file.
            deque(self._blocks, maxlen=0)


class _Part(Struct, frozen=True, kw_only=True, eq=False):
    """A piece of a member, within one range."""

    piece: Piece
    within: _Range


class Data:
    """The bytes of one member, once, to be consumed before the next member; :attr:`why_lost` is known after that."""

    def __init__(self, ahead: Ahead, member: Member) -> None:
        self._ahead = ahead
        self._member = member
        self.why_lost = ""

    def __iter__(self) -> Iterator[bytes]:
        position = 0
        while (part := self._ahead.next_part()) is not None:
            yield from zeros(part.piece.offset_bytes - position)
            yield from self._of(part)
            position = part.piece.stop_bytes
        yield from zeros(self._member.size_bytes - position)

    def _of(self, part: _Part) -> Iterator[bytes]:
        taken_bytes = 0
        try:
            for block in part.within.take(part.piece.size_bytes, self._ahead.fetches):
                taken_bytes += len(block)
                yield block
        except DamagedError as error:
            self.why_lost = self.why_lost or error.message
            yield from zeros(part.piece.size_bytes - taken_bytes)


class Ahead:
    """Iterating yields each member with its bytes.

    A member of which it is known before its first byte that something is lost comes with ``why_lost``, and without
    bytes.  What is lost later is zeros.
    """

    def __init__(self, members: Iterable[Member], fetches: Fetches, unit_bytes: int) -> None:
        self.fetches = fetches
        self._unit_bytes = unit_bytes
        self._coming = self._parts(members)
        self._waiting: deque[Member | _Part] = deque()
        #: Those that are being fetched, in order; the last one may still grow.
        self._ranges: deque[_Range] = deque()
        self._is_over = False
        #: Paths of members that came without bytes → why; so do hard links to them.
        self._left_out: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[Member, Data]]:
        while True:
            self._fill()
            if not self._waiting:
                return
            member = self._waiting.popleft()
            assert isinstance(member, Member)
            why_lost = member.why_lost or self._why_linked_lost(member) or self._why_lost()
            data = Data(self, member)
            if why_lost:
                self._left_out[member.entry.snapshot_path] = why_lost
                deque(data, maxlen=0)
                yield replace(member, why_lost=why_lost), Data(self, member)
            else:
                yield member, data

    def next_part(self) -> _Part | None:
        """The next part of the member that came last; None at its end."""
        self._fill()
        if not self._waiting or isinstance(self._waiting[0], Member):
            return None
        part = self._waiting.popleft()
        assert isinstance(part, _Part)
        while self._ranges and self._ranges[0] is not part.within:
            self._ranges.popleft()
        return part

    def _why_linked_lost(self, member: Member) -> str:
        return self._left_out.get(member.entry.link, "") if member.entry.kind == "hardlink" else ""

    def _why_lost(self) -> str:
        """Why a part of the member that came last is lost, as far as that is known or under way."""
        for part in self._waiting:
            if isinstance(part, Member):
                break
            fetch = part.within.fetch
            if fetch is not None:
                self.fetches.wait(fetch)
            error = fetch.error if fetch is not None else self.fetches.why_absent(part.piece)
            if error is not None:
                return error.message
        return ""

    def _fill(self) -> None:
        """Begin fetches until enough of them, or enough members, are waiting."""
        while not self._is_over and len(self._ranges) <= _AHEAD_COUNT and len(self._waiting) < _WAITING_COUNT:
            coming = next(self._coming, None)
            if coming is None:
                self._is_over = True
            else:
                self._waiting.append(coming)
        if self._ranges and (self._is_over or len(self._waiting) >= _WAITING_COUNT):
            self._close(self._ranges[-1])

    def _parts(self, members: Iterable[Member]) -> Iterator[Member | _Part]:
        for member in members:
            yield member
            for whole in member.pieces if not member.why_lost else ():
                limit_bytes = min(self._unit_bytes, self.fetches.limit_bytes(whole))
                for piece in whole.cut(limit_bytes):
                    yield _Part(piece=piece, within=self._range_for(piece, limit_bytes))

    def _range_for(self, piece: Piece, limit_bytes: int) -> _Range:
        last = self._ranges[-1] if self._ranges else None
        if last is not None and last.fetch is None and last.grow(piece, limit_bytes):
            return last
        if last is not None:
            self._close(last)
        self._ranges.append(_Range(piece))
        return self._ranges[-1]

    def _close(self, last: _Range) -> None:
        if last.fetch is None:
            last.fetch = self.fetches.begin(last.piece)
