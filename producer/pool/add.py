"""An empty folder that becomes a device of the pool at once, before a backup uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from producer.catalog.tables.devices import DeviceRow
from producer.observer import Observer
from producer.ownership.lock_holder import NEW_DEVICES
from producer.pool.decide import decide_pool, new_names
from producer.pool.device_reports import adopt_devices, ask_for_reports
from producer.pool.known import known_devices
from producer.pool.members import record_members
from producer.run.environment import Environment
from producer.run.locks import owner_of_locks
from producer.run.session import RunNeeds, open_session


def add_device(
    name: str, place: Path, others: Mapping[str, Path], observer: Observer, environment: Environment, *, site: str = ""
) -> DeviceRow:
    """Make ``place`` a device of the pool of ``others``, or of a new pool; idempotent.

    ``site``: where it stands; "" for what the configuration says.  Raises NotADeviceError, UsageError for what the
    folder must not be, DeviceError, LockedError.
    """
    if site:
        environment = replace(environment, sites={**environment.sites, name: site})
    with owner_of_locks(observer, environment) as holder:
        catalog = holder.catalog
        devices = {**others, name: place}
        needs = RunNeeds(devices=devices, purpose=f"new device {name}", holder=holder)
        with open_session(needs, observer, environment) as session, holder.holding(NEW_DEVICES, purpose=needs.purpose):
            reports = ask_for_reports(session, may_lose=others).wait()
            decision = decide_pool(reports, devices, known_devices(catalog))
            # Others that are empty wait for a backup, or for a word of their own.
            decision = replace(decision, adopt={key: new for key, new in decision.adopt.items() if key == name})
            new_names(decision.ready | decision.adopt, {row.device_id: row.name for row in catalog.devices.all()})
            reports |= adopt_devices(session, decision)
            record_members(catalog, decision, reports, session.paths, session.link.published_epoch)
            return catalog.devices.get(reports[name].device_id)
