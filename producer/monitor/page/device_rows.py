"""The devices as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from producer.catalog.tables.devices import DeviceRow
from producer.configuration.values.ages import format_age
from producer.configuration.values.sizes import format_size
from producer.host.safe_text import escaped
from producer.monitor.page.drawing import bar
from producer.monitor.page.history import Day, full_in_days
from producer.monitor.survey import Survey


class DeviceCells(Struct, frozen=True, kw_only=True):
    name: str
    state: str
    since: str
    reason: str
    fill: str
    stored: str
    free: str
    capacity: str
    checked: str
    full: str
    #: What would be lost with it.
    lost: str
    #: What has less copies or parity there than snapshots are to have, as ``segfleet devices`` says it.
    unprotected: str


def device_cells(survey: Survey, row: DeviceRow, history: Sequence[Day]) -> DeviceCells:
    stored_bytes = survey.sums.on_devices.get(row.device_id, 0)
    capacity_bytes = max(row.capacity_bytes, 1)
    ours, other = stored_bytes / capacity_bytes, 1 - (row.free_bytes + stored_bytes) / capacity_bytes
    days = full_in_days(row.free_bytes, row.name, history)
    label = f"ours {format_size(stored_bytes)}, free {format_size(row.free_bytes)} of {format_size(row.capacity_bytes)}"
    return DeviceCells(
        name=row.name,
        state=row.state,
        since=format_age(survey.at - row.since),
        reason=escaped(row.why),
        fill=bar([("ours", ours), ("other", max(0.0, other))] if row.capacity_bytes else [], label),
        stored=format_size(stored_bytes),
        free=format_size(row.free_bytes),
        capacity=format_size(row.capacity_bytes),
        checked=_device_checked(survey, row.device_id),
        full=f"in about {days} days" if days is not None and days < 3650 and row.state == "live" else "",
        lost=_lost(survey, row.name),
        unprotected=_unprotected(survey, row.device_id),
    )


def _device_checked(survey: Survey, device_id: str) -> str:
    """When it was last looked at, and how much of it was ever read to the last byte."""
    last = survey.sums.device_checks.get(device_id)
    if last is None:
        return ""
    if last.looked_at is None:
        return "never"
    damaged = f", {last.damaged_count} damaged" if last.damaged_count else ""
    share = last.bytes_read * 100 // last.bytes_stored if last.bytes_stored else 100
    return f"{format_age(survey.at - last.looked_at)} ago, {share} % read{damaged}"


def _lost(survey: Survey, device: str) -> str:
    if survey.at_risk is None:
        return ""
    risk = survey.at_risk.get(device)
    return f"{risk.files:,} files, {format_size(risk.bytes)}" if risk is not None else "nothing"


def _unprotected(survey: Survey, device_id: str) -> str:
    found = (survey.sums.protected.unprotected or {}).get(device_id)
    return "" if found is None else format_size(found.bytes_stored)
