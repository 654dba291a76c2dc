"""What another host's view of a source keeps of the walk: found out from its files, never assumed.

Nobody can set a file's time of change.  So where a view keeps it, it tells a file from one that was put in its place
with the same size and time of writing.  NFS keeps it; FUSE and some SMB servers do not.
"""

from __future__ import annotations

import os
from contextlib import suppress

from tasks.sources.states import WalkedStates
from tasks.sources.views import View, view_of
from tasks.values import Extents
from workers.sources.files import SourceFiles

#: Files of an order that are looked at before the first is read, so that even that one is compared.
_LOOKED_AT_COUNT = 8
_MOST_VIEWS = 1000


class KeptTimes:
    """The file systems of this host, by st_dev, that show the times of change as the walk saw them."""

    def __init__(self) -> None:
        self._disks: set[int] = set()

    def look_ahead(self, files: SourceFiles, extents: Extents, states: WalkedStates) -> None:
        """Look at some files of an order, unless it is known already that times are kept."""
        count = len(extents.paths)
        for index in range(0, count, max(1, count // _LOOKED_AT_COUNT)) if not self._disks else ():
            with suppress(OSError):
                fd = files.open(extents.paths[index])
                try:
                    self.is_kept(states, index, os.fstat(fd))
                finally:
                    os.close(fd)

    def is_kept(self, states: WalkedStates, index: int, status: os.stat_result) -> bool:
        """Whether the file with this ``status`` lies where times of change are kept."""
        if status.st_dev not in self._disks and states.shows_ctime(index, status):
            self._disks.add(status.st_dev)
        return status.st_dev in self._disks


class Views:
    """This host's views of the sources that walks of any host have seen."""

    def __init__(self) -> None:
        self._known: dict[tuple[View, View], KeptTimes] = {}

    def kept_times(
        self, walked: View, files: SourceFiles, extents: Extents, states: WalkedStates | None
    ) -> KeptTimes | None:
        """What is known of the view of ``files``; None where it is the walk's own.  ``extents`` are read next."""
        here = view_of(os.fstat(files.place.fd))
        if walked and walked == here:
            return None
        if len(self._known) >= _MOST_VIEWS:
            self._known.clear()
        kept_times = self._known.setdefault((walked, here), KeptTimes())
        if states is not None:
            kept_times.look_ahead(files, extents, states)
        return kept_times
