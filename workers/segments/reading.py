"""Reads the extents of one order, in turn with the other workers of its host, and counts the time."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.orders import StoreSegment
from tasks.receipts import FileState
from tasks.sources.states import unpack_states
from workers.disks.turns import turns_at
from workers.progress import OrderProgress, Stages
from workers.sources.direct import open_reader
from workers.sources.files import SourceFiles
from workers.sources.in_turns import read_in_turns
from workers.sources.kept_times import KeptTimes, Views
from workers.sources.raw import RawStream
from workers.sources.stream import ExtentStream


class Reading:
    """Reads extents of ``order`` from ``files``; for one thread at a time."""

    def __init__(
        self, order: StoreSegment, files: SourceFiles, *, views: Views, progress: OrderProgress, stages: Stages
    ) -> None:
        self._order = order
        self._files = files
        self._progress = progress
        self._stages = stages
        self._turns = turns_at(files.place.fd, "read", order.readers)
        self._states = unpack_states(order.states, len(order.extents))
        self._sparse = frozenset(order.sparse)
        self._kept_times: KeptTimes | None = None
        if order.raw is None:
            self._kept_times = views.kept_times(order.view, files, order.extents, self._states)

    def stream(self, places: Sequence[int], seen: FileState | None = None) -> ExtentStream | RawStream:
        """The extents at these ``places`` of the order, one after the other.

        ``seen``: the state in which the order's one file was when other extents of it were read.
        """
        order = self._order
        if order.raw is not None:
            reader = open_reader(self._files.place, mark=order.raw.mark)
            where = self._files.place.where
            return RawStream(order.extents.at(places), order.raw, reader, where=where, seen=seen)
        return ExtentStream(
            self._files,
            order.extents.at(places),
            None if self._states is None else self._states.at(places),
            kept_times=self._kept_times,
            is_piece=order.is_piece,
            sparse=[index for index, place in enumerate(places) if place in self._sparse],
            is_one_file=len(order.extents) == 1,
            seen=seen,
            spooled=order.spooled,
        )

    def fill(self, stream: ExtentStream | RawStream, buffer: memoryview) -> None:
        """Fill all of ``buffer`` from the stream."""
        with self._stages.read:
            read_in_turns(stream.fill, buffer, turns=self._turns, beat=self._progress.beat)
