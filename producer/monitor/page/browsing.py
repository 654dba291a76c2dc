"""The pages of snapshots and folders as HTML."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from itertools import islice

from producer.catalog.catalog import Catalog
from producer.catalog.protection import Protections
from producer.host.safe_text import escaped
from producer.monitor.page.browse import (
    ROWS_COUNT,
    SNAPSHOTS_COUNT,
    folder,
    folder_link,
    snapshot_cells,
    volume_link,
)
from producer.monitor.page.render import render


def snapshots_html(catalog: Catalog, volume: str) -> bytes:
    now, protections = datetime.now(UTC), Protections(catalog)
    sealed = catalog.snapshots.sealed_of(volume, SNAPSHOTS_COUNT)
    rows = [snapshot_cells(row, protections.of(row), now) for row in sealed]
    name = escaped(volume)
    return render("snapshots.html", title=f"segfleet: snapshots of {name}", volume=name, rows=rows)


def folder_html(catalog: Catalog, snapshot: str, path: str, *, has_downloads: bool = False) -> bytes:
    """``has_downloads``: files are links.  Raises UsageError for a snapshot that is not there."""
    row = catalog.snapshots.find(snapshot)
    path = path.strip("/")
    rows = list(islice(folder(catalog, row.snapshot_id, path), ROWS_COUNT))
    parts = path.split("/") if path else []
    above = [(volume_link(row.volume), escaped(row.volume)), (folder_link(row.snapshot_id, ""), row.snapshot_id[:8])]
    above += [
        (folder_link(row.snapshot_id, "/".join(parts[: number + 1])), escaped(name))
        for number, name in enumerate(parts[:-1])
    ]
    here = escaped(parts[-1]) if parts else ""
    return render(
        "folder.html",
        title=f"segfleet: {here or row.snapshot_id[:8]}",
        above=above,
        here=here,
        rows=rows,
        has_downloads=has_downloads,
        dump=escaped(f"segfleet dump {row.snapshot_id[:8]} {shlex.quote(f'{path}/NAME' if path else 'NAME')} > NAME"),
        command=escaped(
            f"segfleet ls -l {row.snapshot_id[:8]} {shlex.quote(path)}"
            if path
            else f"segfleet ls {row.snapshot_id[:8]}"
        ),
    )
