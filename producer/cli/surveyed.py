"""What ``metrics``, the page and ``status --html`` show: one survey of the catalog and the broker."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.options.sources.paths import absolute
from producer.cli.result_file import write_result
from producer.host.behalf import HERE

if TYPE_CHECKING:
    from producer.monitor.fleet import FleetStatus
    from producer.monitor.page.looks import Looks
    from producer.monitor.page.serving.downloads import Downloads
    from producer.monitor.survey import Survey

PASSWORD_VARIABLE = "SEGFLEET_PAGE_AUTH"


def surveyed(call: Call) -> Survey:
    """As of now; raises CatalogError.  A broker that does not answer is part of the survey."""
    from producer.monitor.expected import expected_by
    from producer.monitor.survey import survey

    with opened_catalog(call) as catalog:
        return survey(catalog, fleet_of(call.broker_url), expected=expected_by(call.configuration))


def write_page(call: Call, file: str) -> None:
    """Write the page as it is now; raises CatalogError, and UsageError for a file that cannot be written."""
    from producer.monitor.expected import expected_by
    from producer.monitor.page.remembered import RememberedPast
    from producer.monitor.page.render import page_html
    from producer.monitor.survey import survey
    from tasks.broker.leases import this_release

    with opened_catalog(call) as catalog:
        found = survey(catalog, fleet_of(call.broker_url), expected=expected_by(call.configuration))
        history = RememberedPast(catalog).look(found.at, found.processes)
    # It names files, and nobody asks for a password any more.
    write_result(
        absolute(file), page_html(found, history, this_release(), is_served=False), option="--html", mode=0o600
    )


def fleet_of(broker_url: str | None) -> FleetStatus | None:
    """None without a configured broker."""
    if broker_url is None:
        return None
    # The imports of the broker take a third of a second.
    from producer.monitor.fleet import fleet_status

    return fleet_status(broker_url)


def operator_page(call: Call, address: str, port: int, *, downloads: bool = False) -> AbstractContextManager[int]:
    """Serves the page during its block; raises UsageError unless the environment says who may see it.

    ``downloads``: anyone who may see it may also download files of snapshots.
    """
    from producer.catalog.catalog import Catalog
    from producer.monitor.expected import expected_by
    from producer.monitor.page.looks import Looks
    from producer.monitor.page.serving.server import serving
    from producer.monitor.page.serving.site import Site
    from producer.monitor.passwords import users_of
    from tasks.broker.leases import this_release

    location, broker_url = call.environment().catalog, call.broker_url
    expected = expected_by(call.configuration)

    def open_looks() -> Looks:
        return Looks(Catalog(location), lambda: fleet_of(broker_url), expected)

    users = users_of(PASSWORD_VARIABLE)
    site = Site(
        open_looks,
        users,
        this_release(),
        logs=call.environment().state.run_logs_dir,
        downloads=_downloads(call) if downloads else None,
    )
    return serving(site, address, port)


def _downloads(call: Call) -> Downloads:
    from producer.monitor.page.serving.downloads import Downloads

    command = [sys.executable, "-P", "-c", "from producer.cli.start import main; main()", "dump"]
    if call.configuration_path is not None:
        command += ["--config", str(call.configuration_path)]
    if call.broker_url is not None:
        command += ["--manager", HERE]
    hidden = (PASSWORD_VARIABLE, f"{PASSWORD_VARIABLE}_FILE")
    return Downloads(command, {name: value for name, value in os.environ.items() if name not in hidden})
