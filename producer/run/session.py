"""What every run needs: catalog, locks, broker, workers, link, and the devices' reports.

One context manager makes them in order and ends them in reverse, whatever happens in between.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from producer.broker import broker
from producer.catalog.catalog import Catalog
from producer.dispatch.courier import Courier
from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.fleet.local import Fleet, LocalFleet
from producer.fleet.shared import Agents, SharedFleet, find_agents, wait_until_unused
from producer.host.device_locks import locked
from producer.observer import Observer
from producer.ownership.holder import Holder
from producer.run.environment import Environment
from producer.run.interrupt import Interrupt
from tasks.queues import manager_queue


@dataclass(frozen=True, kw_only=True)
class RunSession:
    """The means of one run; all of it is used from the run's thread, and ends with the ``open_session`` block."""

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
    #: Devices that no agent serves, and that have no folder on this host → why.
    unserved: Mapping[str, str] = field(default_factory=dict)
    #: What owns the run's locks in the catalog; None for one that reads only.
    holder: Holder | None = None

    def order_fields(self, device: str, *, device_id: str = "", epoch: int = 0) -> dict[str, Any]:
        """What all orders to ``device`` have, but for the order's id."""
        return {
            "run_id": self.run_id,
            "device": device,
            "device_id": device_id,
            "epoch": epoch,
            "attempt": 1,
            "reply_to": self.reply_to,
        }


@contextmanager
def open_session(
    *,
    devices: Mapping[str, Path],
    sources: Mapping[str, Path],
    targets: Mapping[str, Path],
    purpose: str,
    observer: Observer,
    environment: Environment,
    volume: str = "",
    holder: Holder | None = None,
    nice: int = 0,
) -> Iterator[RunSession]:
    """Start what a run needs; the workers boot while the caller goes on.

    With a configured broker, devices that agents serve are left to them; workers are started for the others.
    ``volume`` is what is backed up, "" when nothing is; its lock is the caller's business, whose ``holder`` the run
    writes the catalog as.  ``nice`` is for the workers that are started here.

    Raises LockedError while another run, in this state folder or at this broker, has workers of its own for one of the
    devices that need one; DeviceError for an agent of another version; BrokerError, CatalogError.

    However the block ends, nothing that the run has ordered is carried out after it.
    """
    run_id = environment.run_id or uuid.uuid4().hex
    reply_to = _inbox(environment.manager, volume, run_id)
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        server = stack.enter_context(broker(environment.broker_url, environment.state))
        agents = Agents() if server.embedded else find_agents(server.url, devices)
        ours = {name: path for name, path in devices.items() if name not in agents.leases | agents.unserved}
        for device in sorted(ours):
            stack.enter_context(locked(environment.state, f"device {device}", purpose=purpose))
        if ours and not server.embedded:
            wait_until_unused(server.url, ours)
        settings = _worker_settings(server.url, _device_settings(ours, environment), sources, targets)
        settings |= {"events": environment.events, "nice": nice}
        local = LocalFleet(
            settings=settings,
            devices=list(ours),
            log_dir=environment.state.logs_dir,
            observer=observer,
            first=environment.first_workers,
        )
        fleet = SharedFleet(local, agents, observer)
        stack.callback(fleet.stop, orders_in_hand=False)
        fleet.start()
        catalog = holder.catalog if holder is not None else stack.enter_context(Catalog(environment.catalog))
        link = stack.enter_context(Link(server.url, reply_to, ensure_broker=server.ensure_running))
        link.keeps_inbox = bool(environment.manager and volume)
        for device in ours:
            link.purge(device)
        for device in agents.leases:
            link.purge_own(device)
        served = sorted(devices.keys() - agents.unserved.keys())
        courier = Courier(link, fleet, served, environment.limits, observer)
        stack.callback(courier.end)
        yield RunSession(
            run_id=run_id,
            reply_to=reply_to,
            paths=devices,
            catalog=catalog,
            link=link,
            fleet=fleet,
            courier=courier,
            interrupt=interrupt,
            observer=observer,
            limits=environment.limits,
            unserved=agents.unserved,
            holder=holder,
        )


def _inbox(manager: str, volume: str, run_id: str) -> str:
    """The queue for the run's receipts.

    A manager's is the same for each backup of a volume: what workers answer while the manager is away waits for the
    run that goes on.
    """
    if manager and volume:
        return manager_queue(manager, hashlib.blake2b(os.fsencode(volume), digest_size=4).hexdigest())
    return manager_queue(manager or "local", run_id[:12])


def _worker_settings(
    url: str,
    devices: Mapping[str, Mapping[str, object]],
    sources: Mapping[str, Path],
    targets: Mapping[str, Path],
) -> dict[str, object]:
    """The JSON that ``python -m workers`` reads: names to paths, which orders never carry."""
    return {
        "broker_url": url,
        "devices": devices,
        "sources": {name: str(path) for name, path in sources.items()},
        "targets": {name: str(path) for name, path in targets.items()},
    }


def _device_settings(devices: Mapping[str, Path], environment: Environment) -> dict[str, dict[str, object]]:
    return {
        name: {
            "path": str(path),
            "bytes_per_s": environment.max_rates.get(name),
            "discard": name in environment.discarding,
        }
        for name, path in devices.items()
    }
