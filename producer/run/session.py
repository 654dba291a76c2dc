"""What every run needs: catalog, locks, broker, workers, link, and the devices' reports.

One context manager starts them in order and ends them in reverse, whatever happens in between.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from producer.broker import Broker, broker
from producer.catalog.catalog import Catalog
from producer.dispatch.courier import Courier
from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.fleet.local import Fleet, LocalFleet
from producer.fleet.shared import Agents, SharedFleet, find_agents, wait_until_unused
from producer.host.device_locks import locked
from producer.host.places import silent_devices
from producer.observer import Observer, OnFile
from producer.ownership.lock_holder import LockHolder
from producer.ownership.readers import Readers
from producer.run.environment import Environment
from producer.run.interrupt import Interrupt
from producer.run.log import RunLog
from tasks.broker.queues import manager_queue


class RunSession(Struct, frozen=True, kw_only=True):
    """What one run works with.  Used from the run's thread; all of it ends with the ``open_session`` block."""

    run_id: str
    reply_to: str
    paths: Mapping[str, Path]
    catalog: Catalog
    link: Link
    fleet: Fleet
    courier: Courier
    interrupt: Interrupt
    observer: Observer
    limits: Limits
    #: Devices that no agent serves, and that have no folder on this host, or a silent one → why.
    unserved: Mapping[str, str] = field(default_factory=dict)
    #: What owns the run's locks in the catalog; None for a run that only reads.
    holder: LockHolder | None = None
    #: What keeps the snapshots that the run reads from being forgotten.
    readers: Readers | None = None

    #: Configured device → whether it may be away.
    rotating: Mapping[str, bool] = field(default_factory=dict)
    #: Gets the files that a backup finds new, changed or moved.
    on_file: OnFile | None = None
    #: Its observer, which keeps what is reported; None keeps nothing.
    log: RunLog | None = None

    def begin_reading(self, snapshot_ids: Collection[str]) -> None:
        """Keep these snapshots from being forgotten until the run ends; raises UsageError if one has just been."""
        if self.readers is not None:
            self.readers.begin(snapshot_ids)

    def order_fields(self, device: str, *, device_id: str = "", epoch: int = 0) -> dict[str, Any]:
        """The fields that all orders to ``device`` have, except the order's id."""
        return {
            "run_id": self.run_id,
            "device": device,
            "device_id": device_id,
            "epoch": epoch,
            "attempt": 1,
            "reply_to": self.reply_to,
        }


class RunNeeds(Struct, frozen=True, kw_only=True):
    """What a run is for, and what its workers must be able to reach, by name."""

    purpose: str
    devices: Mapping[str, Path]
    sources: Mapping[str, Path] = field(default_factory=dict)
    targets: Mapping[str, Path] = field(default_factory=dict)
    #: What is backed up, "" when nothing is.  Its lock is the caller's business.
    volume: str = ""
    #: The owner in whose name the run writes the catalog.
    holder: LockHolder | None = None
    #: For the workers that are started here.
    nice: int = 0


@contextmanager
def open_session(needs: RunNeeds, observer: Observer, environment: Environment) -> Iterator[RunSession]:
    """Start what a run needs; the workers boot while the caller continues.

    With a configured broker, agents serve their devices; workers are started for the others.

    Raises LockedError while another run, in this state folder or at this broker, has workers of its own for one of the
    devices that need one; DeviceError for an agent of another version; BrokerError, CatalogError.

    However the block ends, nothing that the run has ordered is carried out after it.
    """
    run_id = environment.run_id or uuid.uuid4().hex
    reply_to = _inbox(environment.manager, needs.volume, run_id)
    log = RunLog(observer, environment.state.run_logs_dir, run_id)
    with ExitStack() as stack:
        stack.callback(log.close)
        interrupt = stack.enter_context(Interrupt())
        server = stack.enter_context(broker(environment.broker_url, environment.state))
        workers = _choose_workers(stack, server, needs, environment, interrupt)
        fleet = _start_workers(stack, server.url, workers, needs, log, environment)
        catalog = needs.holder.catalog if needs.holder else stack.enter_context(Catalog(environment.catalog))
        link = stack.enter_context(Link(server.url, reply_to, ensure_broker=server.ensure_running))
        link.keeps_inbox = bool(environment.manager and needs.volume)
        _clear_queues(link, workers)
        served = sorted(needs.devices.keys() - workers.agents.unserved.keys())
        courier = Courier(link, fleet, served, environment.limits, log)
        stack.callback(courier.end)
        readers = Readers(environment.catalog, purpose=needs.purpose, manager=environment.manager, note=log.note)
        stack.callback(readers.close)
        yield RunSession(
            log=log,
            rotating=environment.rotating,
            on_file=environment.on_file,
            run_id=run_id,
            reply_to=reply_to,
            paths=needs.devices,
            catalog=catalog,
            link=link,
            fleet=fleet,
            courier=courier,
            interrupt=interrupt,
            observer=log,
            limits=environment.limits,
            unserved=workers.agents.unserved,
            holder=needs.holder,
            readers=readers,
        )


class _Workers(Struct, frozen=True, kw_only=True):
    """Who serves the run's devices."""

    agents: Agents
    #: Devices that need a worker of this run's own → their folders, locked.
    ours: Mapping[str, Path]


def _choose_workers(
    stack: ExitStack, server: Broker, needs: RunNeeds, environment: Environment, interrupt: Interrupt
) -> _Workers:
    """Lock the devices that no agent serves, once nobody else's own workers serve them."""
    agents = Agents() if server.embedded else find_agents(server.url, needs.devices)
    at_agents = agents.leases | agents.unserved
    # A worker would wait for it in vain.
    others = {name: path for name, path in needs.devices.items() if name not in at_agents}
    silent = silent_devices(others, interrupt.check)
    agents = replace(agents, unserved={**agents.unserved, **silent})
    ours = {name: path for name, path in needs.devices.items() if name not in agents.leases | agents.unserved}
    for device in sorted(ours):
        stack.enter_context(
            locked(
                environment.state,
                f"device {device}",
                purpose=needs.purpose,
                patience=environment.patience,
                on_wait=interrupt.check,
            )
        )
    if ours and not server.embedded:
        wait_until_unused(server.url, ours, environment.patience, interrupt.check)
    return _Workers(agents=agents, ours=ours)


def _start_workers(
    stack: ExitStack, url: str, workers: _Workers, needs: RunNeeds, observer: Observer, environment: Environment
) -> SharedFleet:
    """Start our own workers; they are stopped with the block."""
    local = LocalFleet(
        settings=_worker_settings(url, workers.ours, needs, environment),
        devices=list(workers.ours),
        log_dir=environment.state.logs_dir,
        observer=observer,
        first=environment.first_workers,
    )
    fleet = SharedFleet(local, workers.agents, observer)
    stack.callback(fleet.stop, orders_in_hand=False)
    fleet.start()
    return fleet


def _clear_queues(link: Link, workers: _Workers) -> None:
    """Remove what earlier runs left: everything where only we read, our own orders where agents serve others too."""
    for device in workers.ours:
        link.purge(device)
    for device in workers.agents.leases:
        link.purge_own(device)


def _inbox(manager: str, volume: str, run_id: str) -> str:
    """The queue for the run's receipts.

    A manager's is the same for each backup of a volume: what workers answer while the manager is away waits for the
    run that resumes the backup.
    """
    if manager and volume:
        return manager_queue(manager, hashlib.blake2b(os.fsencode(volume), digest_size=4).hexdigest())
    return manager_queue(manager or "local", run_id[:12])


def _worker_settings(
    url: str, devices: Mapping[str, Path], needs: RunNeeds, environment: Environment
) -> dict[str, object]:
    """The JSON that ``python -m workers`` reads: names to paths, which orders never carry."""
    return {
        "broker_url": url,
        "devices": _device_settings(devices, environment),
        "sources": {name: str(path) for name, path in needs.sources.items()},
        "targets": {name: str(path) for name, path in needs.targets.items()},
        "events": environment.events,
        "nice": needs.nice,
    }


def _device_settings(devices: Mapping[str, Path], environment: Environment) -> dict[str, dict[str, object]]:
    return {
        name: {
            "path": str(path),
            "bytes_per_s": environment.max_rates.get(name),
            "discard": name in environment.discarding,
            "append_only": name in environment.append_only,
            "site": environment.sites.get(name, ""),
        }
        for name, path in devices.items()
    }
