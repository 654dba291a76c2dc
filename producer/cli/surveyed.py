"""What ``metrics``, the page and ``status --html`` show: one survey of the catalog and the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog

if TYPE_CHECKING:
    from producer.monitor.fleet import FleetStatus
    from producer.monitor.survey import Survey


def surveyed(call: Call) -> Survey:
    """As of now; raises CatalogError.  A broker that does not answer is part of the survey."""
    from producer.monitor.survey import survey

    with opened_catalog(call) as catalog:
        return survey(catalog, fleet_of(call))


def fleet_of(call: Call) -> FleetStatus | None:
    """None without a configured broker."""
    url = call.broker_url
    if url is None:
        return None
    # The imports of the broker take a third of a second.
    from producer.monitor.fleet import fleet_status

    return fleet_status(url)
