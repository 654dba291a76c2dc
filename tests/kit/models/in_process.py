"""Backups and restores with the workers' real code and real folders, in one process: no broker, no worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from kit.models.offline import Answer, Devices, Offline, backup_request
from producer.backup.remember import known_directories
from producer.backup.summary import backup_summary
from producer.backup.whole.whole import Whole
from producer.catalog.catalog import Catalog
from producer.catalog.tree import Tree
from producer.check.check import check_in_session
from producer.ownership.lock_holder import LockHolder
from producer.pool.storing.sources import sources_to_read
from producer.rebuild.rebuild import rebuild_in_session
from producer.repair.repair import repair_in_session
from producer.requests import DEFAULT_LIMITS, CheckRequest, Exclusions, RepackLimits, RestoreRequest, RewriteRequest
from producer.restore.preview import PreviewRow, preview_in_session
from producer.restore.restore_run import RestoreRun
from producer.retention.made_again import make_lost_again
from producer.retention.pruning.prune import preview as preview_prune
from producer.retention.pruning.prune import prune_in_session
from producer.retention.retire import Retired, retire_in_session
from producer.retention.rewriting.rewrite import rewrite_in_session
from producer.summaries import (
    BackupSummary,
    CheckSummary,
    PreviewSummary,
    PruneSummary,
    RebuildSummary,
    RepairSummary,
    RestoreSummary,
    RewriteSummary,
)
from producer.walk.known import KnownDirectories
from tasks.errors import SegfleetError
from tasks.orders import Order
from tasks.receipts import Failure
from workers.process.handlers import LocalHandlers
from workers.settings import DeviceSettings, WorkerSettings

#: In the folder of a pool.
CATALOG = "state/catalog.sqlite"


class NoProgress:
    """Nobody watches."""

    def add(self, bytes_count: int) -> None: ...

    def beat(self) -> None: ...

    def tell_device(self, device_id: str, epoch: int, free_bytes: int) -> None: ...

    def begin(self, order_id: str) -> int:
        return 1

    def end(self) -> None: ...


class InProcess:
    """Devices of a letter each, which are made in ``folder``, or lie in ``folders``, by their names.

    ``before`` sees each order first, and may raise SegfleetError.
    """

    def __init__(
        self, folder: Path, catalog: Catalog, devices: str = "ab", folders: Mapping[str, Path] | None = None
    ) -> None:
        self.folder, self.devices = folder, devices if folders is None else "".join(folders)
        self._folders = folders
        self.target = folder / "target"
        self.orders: list[Order] = []
        self.notes: list[str] = []
        self.troubles: list[tuple[str, str]] = []
        #: Of these troubles.
        self.messages: list[str] = []
        #: Of backups: what is older than the first one by its mtime counts as unchanged.
        self.ignore_ctime = False
        #: Of backups: how all sources are read.
        self.mode: Literal["files", "raw"] = "files"
        self.before: Callable[[Order], object] = lambda order: None
        self.catalog = catalog
        #: Whether each receipt is recorded before the next order is carried out, as with slow devices.
        self.is_one_by_one = False
        self._sources: dict[str, Path] = {}
        #: What the last backup has remembered.
        self.known: KnownDirectories | None = None
        #: What a worker of the last run does with an order.
        self.carry_out: Callable[[Order], object] = lambda order: None
        for name in devices if folders is None else ():
            self.device(name).mkdir(parents=True, exist_ok=True)

    def device(self, name: str) -> Path:
        return self.folder / "devices" / name if self._folders is None else self._folders[name]

    def back_up(self, sources: Mapping[str, Path], *, has_troubles: bool = False, **plan: Any) -> BackupSummary:
        self._sources |= sources
        run = self._run()
        request = replace(backup_request(sources, " ".join(self.devices), **plan), ignore_ctime=self.ignore_ctime)
        request = replace(request, sources=tuple(replace(source, mode=self.mode) for source in request.sources))
        intake = run.plan(request, self.known)
        whole = Whole(run.session, request, intake, run.state)
        whole.store()
        whole.seal()
        self.known = known_directories(run.session.catalog, intake)
        self._remember(run)
        assert has_troubles or not self.troubles, self.troubles
        return backup_summary(run.session, intake, run.state, 0.0)

    def tree(self) -> Tree:
        """Of the latest snapshot."""
        return self.catalog.trees.of(self.catalog.snapshots.find("latest").snapshot_id)

    def restore(self, path: str = "", **options: Any) -> RestoreSummary:
        run = self._run()
        try:
            return RestoreRun(run.session, self._request(path, **options)).run(0.0)
        finally:
            self._remember(run)

    def rebuild(self, *, accept_damage: bool = False) -> RebuildSummary:
        run = self._run()
        try:
            return rebuild_in_session(run.session, accept_damage=accept_damage)
        finally:
            self._remember(run)

    def check(self, *, read_data: bool = False) -> CheckSummary:
        run = self._run()
        try:
            return check_in_session(run.session, CheckRequest(snapshot=None, devices={}, read_data=read_data))
        finally:
            self._remember(run)

    def repair(self) -> RepairSummary:
        sources = sources_to_read(self.catalog)
        run = self._run(sources.roots)
        try:
            with LockHolder(self.catalog, str(self.folder / CATALOG)) as holder:
                return repair_in_session(replace(run.session, holder=holder), sources, make_lost_again)
        finally:
            self._remember(run)

    def prune(self, *, dry_run: bool = False, limits: RepackLimits = DEFAULT_LIMITS) -> PruneSummary:
        run = self._run()
        try:
            return preview_prune(run.session, limits) if dry_run else prune_in_session(run.session, limits)
        finally:
            self._remember(run)

    def rewrite(self, *names: str, **exclusions: Any) -> RewriteSummary:
        """``exclusions``: as those of a backup."""
        run = self._run()
        request = RewriteRequest(names=names, exclusions=Exclusions(**exclusions), devices={})
        try:
            with LockHolder(self.catalog, str(self.folder / CATALOG)) as holder:
                return rewrite_in_session(replace(run.session, holder=holder), request)
        finally:
            self._remember(run)

    def retire(self, name: str) -> Retired:
        run = self._run()
        try:
            return retire_in_session(run.session, name)
        finally:
            self._remember(run)

    def preview(self, path: str = "", **options: Any) -> tuple[dict[str, str], PreviewSummary]:
        """Path → action, and the summary."""
        run, rows = self._run(), dict[str, str]()

        def show(row: PreviewRow) -> None:
            assert row.path not in rows
            rows[row.path] = row.action

        try:
            return rows, preview_in_session(run.session, self._request(path, **options), show)
        finally:
            self._remember(run)

    def _request(self, path: str, **options: Any) -> RestoreRequest:
        return RestoreRequest(**{"snapshot": "latest", "path": path, "target": self.target, "devices": {}, **options})

    def _run(self, sources: Mapping[str, Path] | None = None) -> Offline:
        run = Offline(self.catalog, self._folders or self.devices, Devices(self._sources))
        settings = WorkerSettings(
            broker_url="redis://nowhere",
            devices={name: DeviceSettings(path=self.device(name)) for name in self.devices},
            sources=dict(self._sources if sources is None else sources),
            targets={"target": self.target},
        )
        handlers = LocalHandlers(settings, worker="here", progress=NoProgress())
        self.carry_out = handlers.handle
        self.orders = []

        def answer(order: Order) -> Answer:
            self.orders.append(order)
            try:
                self.before(order)
                return handlers.handle(order)
            except SegfleetError as error:
                return Failure(reason=error.reason, code=error.code, message=error.message, hint=error.hint)

        run.wires.answers = answer
        run.wires.is_one_by_one = self.is_one_by_one
        return run

    def _remember(self, run: Offline) -> None:
        self.notes = run.observer.notes
        self.troubles = [(trouble.path, trouble.code) for trouble in run.observer.troubles]
        self.messages = [trouble.message for trouble in run.observer.troubles]


@contextmanager
def in_process(folder: Path, devices: str = "ab") -> Iterator[InProcess]:
    """With the catalog in ``folder`` too."""
    with Catalog(folder / CATALOG) as catalog:
        yield InProcess(folder, catalog, devices)
