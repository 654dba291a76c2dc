"""What the page's handlers have in common: who may look, and the thread that reads the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from producer.monitor.page.looks import Looks

if TYPE_CHECKING:
    from producer.monitor.page.serving.downloads import Downloads

Found = TypeVar("Found")


class Site:
    """``open_looks`` is called in the thread that reads the catalog from then on."""

    def __init__(
        self,
        open_looks: Callable[[], Looks],
        users: Mapping[str, str],
        release: str,
        *,
        logs: Path,
        downloads: Downloads | None = None,
    ) -> None:
        """``users``: name → password; ``logs``: the folder with those of runs.

        ``downloads``: None where files cannot be downloaded.
        """
        self.logs = logs
        self.downloads = downloads
        self.users = users
        self.release = release
        self._open_looks = open_looks
        self._looks: Looks | None = None
        # The catalog belongs to one thread; while it, or a broker, does not answer, the server does.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")

    async def read(self, answer: Callable[[Looks], Found]) -> Found:
        """What ``answer`` makes of the catalog; raises CatalogError."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, lambda: answer(self._get()))

    def _get(self) -> Looks:
        if self._looks is None:
            self._looks = self._open_looks()
        return self._looks

    def close(self) -> None:
        """Nobody is answered any more."""
        self._reader.shutdown(wait=False, cancel_futures=True)
