"""``segfleet devices --at-risk``, and what is not protected on each device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped

if TYPE_CHECKING:
    from producer.catalog.protection import Unprotected
    from producer.pool.losses.at_risk import AtRisk


def risks_of(call: Call) -> Mapping[str, AtRisk]:
    """Device id → what would be lost with it."""
    from producer.pool.losses.at_risk import Risks

    with opened_catalog(call) as catalog:
        return Risks(catalog).by_device()


def unprotected_on(call: Call) -> Mapping[str, Unprotected] | None:
    """Device id → what has fewer copies, or less parity, than it should; None where nothing is to be protected."""
    from producer.catalog.protection import Protections

    with opened_catalog(call) as catalog:
        return Protections(catalog).by_device(catalog.snapshots.all())


def list_at_risk(call: Call, name: str) -> None:
    """Show the files that would be lost with the device; raises UsageError for an unknown name."""
    from producer.pool.losses.at_risk import Risks
    from producer.pool.losses.lost import device_named

    with opened_catalog(call) as catalog:
        device = device_named(catalog, name)
        for snapshot, path in Risks(catalog).paths_on(device.device_id):
            if call.json:
                fields = {"device": name, "snapshot_id": snapshot.snapshot_id, "path": path}
                write_row({"message_type": "at_risk", **fields})
            else:
                click.echo(f"{snapshot.snapshot_id[:8]}  {escaped(path)}")
