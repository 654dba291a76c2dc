"""Asks every device what it is, and takes new ones into the pool.

The workers boot while the walk runs, so the answers are collected on the way.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from producer.pool.decide import PoolDecision
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DeviceError
from tasks.orders import AdoptDevice, DescribeDevice
from tasks.receipts import DeviceReport, Receipt


def ask_for_reports(session: RunSession, *, may_lose: Collection[str] = ()) -> DeviceReports:
    """Ask all devices of the session what they are; the answers are collected later.

    ``may_lose``: devices that count as missing, and are asked nothing more, when their worker ends without an answer
    or cannot give one.
    """
    reports = {device: _missing(why) for device, why in session.unserved.items()}
    for device in session.paths.keys() - reports.keys() - set(session.courier.live):
        reports[device] = _missing("its worker has ended before")
    session.courier.send(
        [DescribeDevice(order_id=uuid.uuid4().hex, **session.order_fields(name)) for name in session.courier.live]
    )
    return DeviceReports(session, reports, may_lose)


class DeviceReports:
    """The reports of all devices of a session; :func:`ask_for_reports` asks for them."""

    def __init__(self, session: RunSession, reports: dict[str, DeviceReport], may_lose: Collection[str]) -> None:
        self.reports = reports
        #: Device → the host that it is at.
        self.hosts: dict[str, str] = {}
        self._session = session
        self._may_lose = may_lose

    def collect(self, timeout_s: float) -> bool:
        """Take the answers that have come, waiting up to ``timeout_s``; True when all devices have answered.

        Raises DeviceError when the worker of a device that may not be lost ends without an answer, or cannot give one.
        """
        if self.is_complete:
            return True
        for _, receipt in self._session.courier.poll(timeout_s):
            report = self.reports[receipt.device] = self._report(receipt)
            if report.unswept:
                self._session.observer.note(f"device {receipt.device}: an unfinished file stays: {report.unswept}")
            self.hosts[receipt.device] = receipt.worker.partition("@")[2]
        self._take_deaths()
        return self.is_complete

    def _report(self, receipt: Receipt) -> DeviceReport:
        if receipt.failure is not None and receipt.device in self._may_lose:
            self._session.courier.drop(receipt.device)
            return _missing(receipt.failure.message)
        return _report(receipt)

    def _take_deaths(self) -> None:
        session = self._session
        for device, why in session.courier.lost_devices().items():
            if device not in self._may_lose:
                raise DeviceError(f"device {device}: {why}", hint=session.fleet.where_to_look(device))
            session.courier.drop(device)
            self.reports[device] = _missing(why)

    @property
    def is_complete(self) -> bool:
        return self.reports.keys() >= self._session.paths.keys()

    def wait(self) -> dict[str, DeviceReport]:
        """The reports of all devices.  Raises as :meth:`collect`, and InterruptedRun."""
        while not self.collect(0.1):
            self._session.interrupt.check()
        return self.reports


def adopt_devices(session: RunSession, decision: PoolDecision) -> dict[str, DeviceReport]:
    """Write the markers of the new devices; returns their reports.  Raises DeviceError where one cannot be written.

    The first device of a new pool goes alone.  Managers without a common catalog that meet the same devices at the
    same time begin with the same one: the second there is refused before it has taken any of the others.
    """
    names = sorted(decision.adopt)
    alone = names[: 0 if decision.ready else 1]
    return _adopt(session, decision, alone) | _adopt(session, decision, names[len(alone) :])


def _adopt(session: RunSession, decision: PoolDecision, names: Sequence[str]) -> dict[str, DeviceReport]:
    orders = {
        device: [
            AdoptDevice(
                order_id=uuid.uuid4().hex,
                pool_id=decision.pool_id,
                new_device_id=decision.adopt[device],
                catalog_id=session.catalog.generations.catalog_id,
                **session.order_fields(device),
            )
        ]
        for device in names
    }
    receipts: dict[str, Receipt] = {}
    died = run_wave(session, orders, lambda order, receipt: receipts.update({order.device: receipt}))
    for device, why in died.items():
        raise DeviceError(f"device {device}: {why}", hint=session.fleet.where_to_look(device))
    return {device: _report(receipts[device]) for device in orders}


def _missing(why: str) -> DeviceReport:
    return DeviceReport(
        condition="missing",
        detail=why,
        device_id="",
        pool_id="",
        marker_name="",
        capacity_bytes=0,
        free_bytes=0,
        root_identity=(0, 0),
    )


def _report(receipt: Receipt) -> DeviceReport:
    if receipt.failure is not None:
        raise DeviceError(f"device {receipt.device}: {receipt.failure.message}", hint=receipt.failure.hint)
    report: DeviceReport = receipt.result
    return report
