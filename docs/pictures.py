#!/usr/bin/env python3
"""Make the pictures of the page: ``make pictures``; all of them: ``PYTHONPATH=.:tests docs/pictures.py FOLDER``.

Fills scratch catalogs, writes the page of each, and has a headless Chromium draw it: idle, while a backup runs on a
dying device, with hostile names, and with 200 volumes and 64 devices; light and dark, 390 and 1280 pixels wide.
Without FOLDER only ``docs/img/page.png`` is made anew.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from kit.models.owners import enter_owner
from kit.models.rows import T0, begin, lock, plan, record_run, reserve
from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.runs import RunRow
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import SnapshotPlan
from producer.host.processes import pid_space, start_of
from producer.monitor.page.remembered import RememberedPast
from producer.monitor.page.render import page_html
from producer.monitor.survey import survey

GIB = 1024**3
#: What runs has been running for so long.
LATER = timedelta(minutes=9)
NOW = datetime.now(UTC)
HOSTILE = '<script>alert("1")</script>\n\u202e\udcff ' + "long" * 30


def device(catalog: Catalog, name: str, *, state: Any = "live", reason: str = "", free: int = 1500) -> None:
    catalog.devices.record(
        DeviceRow(
            name=name,
            device_id=name.rjust(32, "0"),
            pool_id="1" * 32,
            state=state,
            reason=reason,
            since=NOW - timedelta(minutes=4 if reason else 90 * 24 * 60),
            capacity_bytes=4000 * GIB,
            free_bytes=free * GIB,
            epoch=0,
            path=f"/mnt/{name}",
        )
    )


def snapshot(catalog: Catalog, volume: str, hours_ago: float) -> str:
    snapshot_id = begin(catalog, volume, (NOW - timedelta(hours=hours_ago) - T0) / timedelta(days=1))
    figures: dict[str, Any] = {name: 0 for name in SnapshotPlan.__struct_fields__ if name != "owner_names"}
    figures |= {"files_count": 184_000, "bytes_source": 420 * GIB}
    catalog.snapshots.set_plan(snapshot_id, SnapshotPlan(**figures))
    return snapshot_id


def segments(catalog: Catalog, snapshot_id: str, devices: list[str], count: int, stored: Callable[[int], bool]) -> None:
    rows = [
        NewSegment(
            number=number,
            segment_id=uuid4().hex,
            device=devices[number % len(devices)],
            first_entry=number,
            stop_entry=number + 1,
            offset_bytes=0,
            size_bytes=12 * GIB,
        )
        for number in range(count)
    ]
    catalog.segments.add(snapshot_id, rows)
    for row in filter(lambda row: stored(row.number), rows):
        catalog.transitions.mark_fed(snapshot_id, [row.number], row.device, 0)
        catalog.transitions.record_stored(
            snapshot_id,
            row.number,
            device=row.device,
            device_id=row.device.rjust(32, "0"),
            epoch=0,
            bytes_stored=7 * GIB,
            object_id=uuid4().hex,
            trailer_digest=b"t" * 32,
        )


def run(
    catalog: Catalog, kind: Any, volume: str, started_at: datetime, *, minutes: int, exit_code: int, **summary: Any
) -> None:
    catalog.runs.begin(
        RunRow(
            run_id=uuid4().hex,
            kind=kind,
            snapshot_id=None,
            volume=volume,
            owner_host="tower",
            owner_pid=1,
            started_at=started_at,
            ended_at=started_at + timedelta(minutes=minutes),
            exit_code=exit_code,
            summary=summary,
        )
    )


def history(catalog: Catalog, volume: str, devices: list[str], *, trouble: bool = False) -> None:
    at_risk = {name: {"files": 4100 + 700 * place, "bytes": 61 * GIB} for place, name in enumerate(devices[1:])}
    for day in range(29, -1, -1):
        code = 3 if trouble and day in (4, 11) else 1 if trouble and day == 7 else 0
        summary: dict[str, Any] = {"files": 184_000, "bytes_stored": 40 * GIB, "errors": 2 * (code == 3)}
        stored = {name: {"bytes_stored": (day * 7 + place * 3) % 11 * GIB} for place, name in enumerate(devices)}
        summary |= {"devices": stored, "at_risk": at_risk} if code != 1 else {"error": "no device is left"}
        started_at = NOW - timedelta(days=day, hours=2)
        run(catalog, "backup", volume, started_at, minutes=20 + day % 9, exit_code=code, **summary)


def backed_up(catalog: Catalog, volume: str, devices: list[str], *, trouble: bool = False) -> None:
    snapshot_id = snapshot(catalog, volume, 2)
    segments(catalog, snapshot_id, devices, 35, lambda number: True)
    catalog.snapshots.seal(snapshot_id, NOW - timedelta(hours=1.5), b"h" * 32)
    history(catalog, volume, devices, trouble=trouble)
    reserve(catalog, volume, (NOW - T0).days + 1)


def checked(catalog: Catalog) -> None:
    run(catalog, "check", "", NOW - timedelta(days=3), minutes=50, exit_code=0, segments=70, errors=0)


def idle(catalog: Catalog) -> None:
    names = ["attic", "cellar", "usb"]
    for place, name in enumerate(names):
        device(catalog, name, free=1500 + 600 * place)
    backed_up(catalog, "home", names)
    backed_up(catalog, "photos", names)
    checked(catalog)


def running(catalog: Catalog) -> None:
    names = ["attic", "cellar", "garage", "usb"]
    for name in names[:3]:
        device(catalog, name)
    device(
        catalog,
        "usb",
        state="dead",
        reason=f"device usb: /mnt/usb/segments/f1/{'f1df9fc4' * 4}.seg: Input/output error",
        free=300,
    )
    backed_up(catalog, "photos", names, trouble=True)
    backed_up(catalog, "home", names)
    lock(catalog, "home")
    record_run(catalog, "home", exit_code=None, started_at=datetime.now(UTC))
    segments(
        catalog,
        snapshot(catalog, "home", -0.1),
        names,
        60,
        lambda number: number < 34 and (number % 4 != 3 or number < 20),
    )
    owner_id = enter_owner(
        catalog, host=platform.node(), space=pid_space(), pid=os.getpid(), start=start_of(os.getpid())
    )
    catalog.locks.take(f"snapshot {'5' * 32} {owner_id[:8]}", owner_id, "restore")
    checked(catalog)


def hostile(catalog: Catalog) -> None:
    device(catalog, "a", state="dead", reason=HOSTILE)
    device(catalog, "b")
    backed_up(catalog, HOSTILE, ["a", "b"], trouble=True)
    lock(catalog, HOSTILE)


def many(catalog: Catalog) -> None:
    names = [f"shelf-{number:02}" for number in range(64)]
    for name in names:
        device(catalog, name)
    for number in range(200):
        snapshot_id = begin(catalog, f"volume-{number:03}", 300)
        plan(catalog, snapshot_id, 0)
        catalog.snapshots.seal(snapshot_id, NOW - timedelta(hours=3), b"h" * 32)
    history(catalog, "volume-000", names)
    checked(catalog)


SCENES = {"idle": idle, "running": running, "hostile": hostile, "many": many}


def page_of(fill: Callable[[Catalog], None], folder: Path) -> Path:
    with Catalog(folder / "catalog.sqlite") as catalog:
        with catalog.transaction():
            fill(catalog)
        found = survey(catalog, now=NOW + LATER)
        html = page_html(found, RememberedPast(catalog).look(datetime.now(UTC), found.processes), "", is_served=False)
    file = folder / "page.html"
    file.write_bytes(html)
    return file


def draw(page: Path, picture: Path, *, width: int, height: int, dark: bool) -> None:
    """Chromium makes no window narrower than 500 pixels, so a narrow page is a frame in a wider one."""
    frame = page.with_name("frame.html")
    frame.write_text(
        f'<body style="margin:0"><iframe src="{page.name}" style="border:0;width:{width}px;height:{height}px">'
    )
    command = [shutil.which("chromium") or "chromium"]
    command += ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={max(width, 500)},{height}"]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    command += [f"--screenshot={picture.absolute()}", (frame if width < 500 else page).as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def main(folder: Path | None) -> None:
    for name, fill in SCENES.items():
        if folder is None and name != "running":
            continue
        with tempfile.TemporaryDirectory() as scratch:
            page = page_of(fill, Path(scratch))
            if folder is None:
                draw(page, Path(__file__).parent / "img/page.png", width=1280, height=1700, dark=False)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for width, height in ((390, 2600), (1280, 1700)):
                for dark in (False, True):
                    picture = folder / f"{name}-{width}-{'dark' if dark else 'light'}.png"
                    draw(page, picture, width=width, height=height, dark=dark)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
