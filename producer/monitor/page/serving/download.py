"""The answer that is one file of a snapshot."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import Process
from urllib.parse import quote

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from producer.monitor.page.browse import file_meant
from producer.monitor.page.serving.answering import Handler
from producer.monitor.page.serving.downloads import AT_ONCE_COUNT, terminate

_CHUNK_BYTES = 256 * 1024


class Download(Handler):
    SUPPORTED_METHODS = ("GET",)  # type: ignore[assignment]
    _process: Process | None = None

    async def get(self) -> None:
        downloads = self.site.downloads
        if downloads is None:
            raise HTTPError(404)
        # Another site must not make this browser start restores.
        if self.request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise HTTPError(403)
        file = await self.found(lambda looks: file_meant(looks.catalog, self.asked("snapshot"), self.asked("path")))
        if file is None:
            return
        if downloads.is_busy:
            self.refuse(503, f"{AT_ONCE_COUNT} downloads are running already; try again when one has ended")
            return
        self._process = process = await downloads.begin(file)
        try:
            await self._pass_on(process, file.name)
        except StreamClosedError:
            """The reader has gone."""
        finally:
            await downloads.end(process)

    async def _pass_on(self, process: Process, name: str) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        data = await process.stdout.read(_CHUNK_BYTES)
        if not data and await process.wait():
            # Nothing was sent yet, so the reason can be.
            self.refuse(502, (await said).decode(errors="replace").strip() or "the file could not be restored")
            return
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Disposition", disposition(name))
        while data:
            self.write(data)
            await self.flush()
            data = await process.stdout.read(_CHUNK_BYTES)
        await said
        if await process.wait():
            # Without its end the browser knows that the file is not whole.
            self.detach().close()
        else:
            await self.finish()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._process is not None:
            terminate(self._process)


def disposition(name: str) -> str:
    """Content-Disposition for any name: no byte of it can end the header, or name another folder."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name).lstrip(".") or "file"
    full = quote(name.replace("/", "_").encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"
