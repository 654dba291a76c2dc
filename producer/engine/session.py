"""What every run needs: locks, catalog, broker, workers, link, and the devices' reports.

One context manager makes them in order and ends them in reverse, whatever happens in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer.broker import broker
from producer.catalog.catalog import Catalog
from producer.engine.courier import Courier
from producer.engine.environment import Environment
from producer.engine.fleet import LocalFleet
from producer.engine.interrupt import Interrupt
from producer.engine.limits import Limits
from producer.engine.link import Link
from producer.locks import locked
from producer.observer import Observer
from tasks.errors import DeviceError
from tasks.queues import manager_queue


@dataclass(frozen=True, kw_only=True)
class Session:
    """The means of one run; all of it is used from the run's thread, and ends with the ``open_session`` block."""

    run_id: str
    reply_to: str
    paths: Mapping[str, Path]
    catalog: Catalog
    link: Link
    fleet: LocalFleet
    courier: Courier
    interrupt: Interrupt
    observer: Observer
    limits: Limits

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

    def refuse_death(self) -> None:
        """Raise DeviceError when a worker is gone; for the time before a run can do without it."""
        for device, why in self.courier.lost_devices().items():
            raise DeviceError(f"device {device}: {why}", hint=f"its log says more: {self.fleet.log_of(device)}")


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
) -> Iterator[Session]:
    """Start what a run needs; the workers boot while the caller goes on.

    ``volume`` names what no other run may back up at the same time.

    Raises LockedError while another run uses the volume or one of the devices' names, BrokerError, CatalogError.
    """
    run_id = uuid.uuid4().hex
    reply_to = manager_queue(f"local-{run_id[:12]}")
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        for lock in [f"volume {volume}"] * bool(volume) + [f"device {device}" for device in sorted(devices)]:
            stack.enter_context(locked(environment.state, lock, purpose=purpose))
        server = stack.enter_context(broker(environment.broker_url, environment.state))
        settings = _worker_settings(server.url, devices, environment.max_rates, sources, targets)
        fleet = LocalFleet(
            settings=settings, devices=list(devices), log_dir=environment.state.path / "logs", observer=observer
        )
        stack.callback(fleet.stop, orders_in_hand=False)
        fleet.start()
        catalog = stack.enter_context(Catalog(environment.catalog))
        link = stack.enter_context(Link(server.url, reply_to, ensure_broker=server.ensure_running))
        for device in devices:
            link.purge(device)
        yield Session(
            run_id=run_id,
            reply_to=reply_to,
            paths=devices,
            catalog=catalog,
            link=link,
            fleet=fleet,
            courier=Courier(link, fleet, devices, environment.limits, observer),
            interrupt=interrupt,
            observer=observer,
            limits=environment.limits,
        )


def _worker_settings(
    url: str,
    devices: Mapping[str, Path],
    max_rates: Mapping[str, int],
    sources: Mapping[str, Path],
    targets: Mapping[str, Path],
) -> dict[str, object]:
    """The JSON that ``python -m workers`` reads: names to paths, which orders never carry."""
    return {
        "broker_url": url,
        "devices": {name: {"path": str(path), "bytes_per_s": max_rates.get(name)} for name, path in devices.items()},
        "sources": {name: str(path) for name, path in sources.items()},
        "targets": {name: str(path) for name, path in targets.items()},
    }
