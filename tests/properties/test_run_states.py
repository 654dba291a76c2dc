"""A backup against a model of everything that can happen to it (docs/faults.md).

The manager is the program's own: walk, plan, catalog, courier, feeder, recorder, losses.  Broker, workers and disks are
:class:`kit.models.channel.Channel`.  Whatever the order of deliveries, repeats, losses and deaths: no segment is lost,
none is counted twice, and the run ends.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import sampled_from

from kit.models.channel import Channel
from producer.backup.intake.take_in import take_in
from producer.backup.planning import plan_backup
from producer.backup.storing import balancing, storing
from producer.backup.storing.failing import failures, losses
from producer.backup.storing.prepare import prepare_storing
from producer.catalog.catalog import Catalog
from producer.dispatch import courier, liveness
from producer.dispatch.courier import Courier
from producer.dispatch.limits import Limits
from producer.observer import Progress, Trouble
from producer.requests import BackupRequest, Exclusions, PlanOptions, Source
from producer.run.interrupt import Interrupt
from producer.run.session import RunSession
from tasks.errors import DeviceError, Reason
from tasks.orders import Order

NAMES = ("a", "b", "c")
DEVICES = sampled_from(NAMES)
FILES_COUNT = 12

#: Turns of the manager, a second each, after which a run without further faults must have ended.
LAST_TURNS_COUNT = 400


class Silent:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def worker_started(self, device: str, pid: int) -> None:
        self.told.append(f"worker {device}")

    def note(self, text: str) -> None:
        self.told.append(text)

    def trouble(self, trouble: Trouble) -> None:
        self.told.append(trouble.message)

    def progress(self, progress: Progress) -> None:
        return


class Runs(RuleBasedStateMachine):
    """Backups of one small tree; each rule is something that happens."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="sf-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.now_s = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now_s, sleep=self.pass_time)
        for module in (balancing, courier, failures, liveness, losses, storing):
            self.stack.enter_context(patch.object(module, "time", clock))
        self.channel = Channel(NAMES)
        self.observer = Silent()
        self.request = self.new_request()
        self.catalog = self.stack.enter_context(Catalog(f"sqlite:///{self.folder / 'catalog.sqlite'}"))
        self.is_done = False

    def new_request(self) -> BackupRequest:
        source = self.folder / "data"
        source.mkdir()
        for number in range(FILES_COUNT):
            (source / f"{number:02}").write_bytes(b"x" * (1000 + number))
        return BackupRequest(
            sources=(Source(name="data", path=source),),
            devices={name: self.folder / name for name in NAMES},
            volume="data",
            plan=PlanOptions(bundle=False, reserve_bytes=0),
            exclusions=Exclusions(),
            retries_count=3,
        )

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds

    # ---- the manager

    @initialize()
    def begin(self) -> None:
        """Start a run: as the first one, and after each that has ended before its work was done."""
        for name, disk in self.channel.disks.items():
            self.channel.restart(name)
            disk.held = None
            # A local run begins with empty queues.
            self.channel.queues[name] = []
        self.channel.is_down, self.channel.is_quick, self.channel.receipts_due = False, True, []
        self.session = self.new_session()
        intake = take_in(self.session, self.request)
        self.state = plan_backup(self.session, self.request, intake)
        self.snapshot_id = intake.snapshot_id
        self.storing = prepare_storing(self.session, self.request, intake, self.state)
        self.channel.is_quick = False

    def new_session(self) -> RunSession:
        limits = Limits(stall_s=30, rejoin_s=20)
        channel = self.channel
        return RunSession(
            run_id=uuid.uuid4().hex,
            reply_to=channel.inbox,
            paths=self.request.devices,
            catalog=self.catalog,
            link=channel,  # type: ignore[arg-type]
            fleet=channel,  # type: ignore[arg-type]
            courier=Courier(channel, channel, NAMES, limits, self.observer),  # type: ignore[arg-type]
            interrupt=Interrupt(),
            observer=self.observer,
            limits=limits,
        )

    @rule()
    def manager_looks(self) -> None:
        self.pass_time(1.0)
        try:
            self.is_done = self.is_done or self.storing.turn()
        except DeviceError:
            # No device is left: the same command is run again, with the devices that are there.
            if any(disk.is_there for disk in self.channel.disks.values()):
                self.begin()
            else:
                self.channel.disks["a"].is_there = True
                self.begin()

    @rule()
    def manager_dies_and_the_command_is_run_again(self) -> None:
        if any(disk.is_there for disk in self.channel.disks.values()) and not self.is_done:
            self.begin()

    # ---- workers

    @rule(device=DEVICES)
    def worker_takes(self, device: str) -> None:
        self.channel.take(device)

    @rule(device=DEVICES)
    def worker_finishes(self, device: str) -> None:
        self.channel.finish(device)

    @rule(device=DEVICES)
    def worker_does_the_next(self, device: str) -> None:
        self.channel.take(device)
        self.channel.finish(device)

    @rule(device=DEVICES)
    def worker_is_killed(self, device: str) -> None:
        self.channel.kill(device)

    @rule(device=DEVICES, reason=sampled_from([Reason.DEVICE, Reason.SOURCE, Reason.TIMEOUT, Reason.DAMAGED]))
    def worker_fails_the_next(self, device: str, reason: Reason) -> None:
        self.channel.disks[device].failures.append(reason)

    # ---- devices

    @rule(device=DEVICES)
    def device_goes_or_comes_back(self, device: str) -> None:
        self.channel.disks[device].is_there ^= True

    @rule(device=DEVICES)
    def device_fills_up_or_has_room_again(self, device: str) -> None:
        self.channel.disks[device].is_full ^= True

    # ---- broker

    @rule(device=DEVICES)
    def order_is_lost(self, device: str) -> None:
        self.channel.lose_order(device)

    @rule(device=DEVICES)
    def order_is_repeated(self, device: str) -> None:
        self.channel.repeat_order(device)

    @rule(device=DEVICES)
    def receipt_is_lost(self, device: str) -> None:
        self.channel.finish(device, receipt_is_lost=True)

    @rule()
    def receipts_are_repeated(self) -> None:
        self.channel.repeat_receipts()

    @rule()
    def broker_is_emptied(self) -> None:
        self.channel.empty()

    @rule()
    def broker_goes_or_comes_back(self) -> None:
        self.channel.is_down ^= True

    # ---- what must hold

    @precondition(lambda self: hasattr(self, "snapshot_id"))
    @rule()
    def what_is_counted_is_stored(self) -> None:
        rows = {row.segment_id: row for row in self.catalog.segments.stored(self.snapshot_id)}
        index = self.catalog.objects.of(rows)
        assert index.keys() == rows.keys()
        for segment_id, (stored,) in index.items():
            assert (stored.device, stored.device_id) == (rows[segment_id].device, rows[segment_id].device_id)
            assert stored.object_id in self.channel.disks[stored.device].segments

    def teardown(self) -> None:
        try:
            if hasattr(self, "snapshot_id"):
                self.end_without_faults()
                self.check_the_end()
        finally:
            self.stack.close()

    def end_without_faults(self) -> None:
        for disk in self.channel.disks.values():
            disk.is_there, disk.is_full, disk.failures = True, False, []
        self.channel.is_down, self.channel.is_quick = False, True
        for _ in self.turns():
            if self.is_done and self.state.given_up:
                # What was given up is tried again by the next run.
                self.is_done = False
                self.begin()
                self.channel.is_quick = True
            if self.is_done:
                return
            self.manager_looks()
            self.channel.is_quick = True

    def turns(self) -> Iterator[int]:
        yield from range(LAST_TURNS_COUNT)
        raise AssertionError(f"the run has not ended: {self.observer.told[-20:]}")

    def check_the_end(self) -> None:
        rows = list(self.catalog.segments.valid(self.snapshot_id))
        assert {row.state for row in rows} == {"stored"}
        self.what_is_counted_is_stored()
        ranges = sorted((row.first_entry, row.offset_bytes, row.size_bytes) for row in rows)
        assert len(set(ranges)) == len(ranges)
        assert sum(size for _, _, size in ranges) == sum(1000 + number for number in range(FILES_COUNT))
        # No device is credited with a segment that another one is credited with too.
        for device in NAMES:
            share, on_it = self.state.share(device), [row for row in rows if row.device == device]
            assert (share.load_count, share.stored_count) == (len(on_it), len(on_it))
            assert share.load_bytes == share.stored_bytes == sum(row.size_bytes for row in on_it)
        totals = itertools.chain.from_iterable(
            [[row.segments_count] for row in self.catalog.totals.by_state(self.snapshot_id)]
        )
        assert sum(totals) >= len(rows)


@pytest.mark.parametrize("dying", NAMES)
def test_a_segment_that_waits_for_its_next_try_is_stored_whichever_device_dies_meanwhile(dying: str) -> None:
    run = Runs()
    try:
        run.begin()
        run.manager_looks()
        failing = run.channel.queues["a"][0]
        for _ in range(2):
            fail(run, failing)
        run.storing.turn()
        run.channel.kill(dying)
        run.channel.disks[dying].is_there = False
        run.storing.turn()
    finally:
        run.teardown()


def fail(run: Runs, order: Order) -> None:
    """The worker of a carries out what it has, and fails at this order."""
    disk = run.channel.disks["a"]
    while disk.held is None or disk.held.order_id != order.order_id:
        run.worker_finishes("a")
        run.manager_looks()
        run.worker_takes("a")
    run.worker_fails_the_next("a", Reason.SOURCE)
    run.worker_finishes("a")


TestRuns = Runs.TestCase
TestRuns.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
