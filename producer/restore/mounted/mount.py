"""``mount``: opens a session, mounts the snapshots, and serves them until they are unmounted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.observer import Observer, Trouble
from producer.pool.present import present_devices
from producer.restore.mounted.blocks import Blocks
from producer.restore.mounted.fuse import Mount, check_mountable
from producer.restore.mounted.operations import Operations
from producer.restore.mounted.snapshots import MountedSnapshots
from producer.restore.reading.fetches import Fetches
from producer.run.environment import Environment
from producer.run.session import RunNeeds, RunSession, open_session
from tasks.errors import InterruptedRun


def mount(
    snapshots: list[SnapshotRow],
    folder: Path,
    devices: Mapping[str, Path],
    observer: Observer,
    environment: Environment,
    *,
    allow_other: bool,
    on_mounted: Callable[[], None],
) -> None:
    """Mount the snapshots on ``folder``, and return once they are unmounted: by somebody else, or by a signal.

    A file that cannot be read is reported to the observer; anyone who reads it gets EIO, and everything else continues.

    Raises UsageError for a folder that is not empty or without FUSE, MountError, and what opening a session raises.
    """
    check_mountable(folder)
    with (
        open_session(RunNeeds(devices=devices, purpose="mount"), observer, environment) as session,
        Catalog(environment.catalog) as catalog,
    ):
        session.begin_reading([snapshot.snapshot_id for snapshot in snapshots])
        blocks = Blocks()
        fetches = Fetches(session, present_devices(session, snapshots), None)
        mounted = MountedSnapshots(catalog, snapshots, blocks, _reporter(session), fetches.present)
        served = Mount(Operations(mounted), folder, allow_other=allow_other)
        try:
            served.start()
            on_mounted()
            blocks.serve(fetches, lambda: served.is_over)
        except InterruptedRun:
            session.observer.note(f"unmounting {folder}")
        finally:
            served.end()


def _reporter(session: RunSession) -> Callable[[str, str], None]:
    def report(path: str, why: str) -> None:
        session.observer.trouble(Trouble(code="damaged", message=f"cannot be read: {why}", path=path))

    return report
