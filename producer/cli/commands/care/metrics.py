"""``segfleet metrics``: what Prometheus collects, for hosts without a server."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option
from producer.cli.options.sources.paths import absolute
from producer.cli.result_file import write_result
from producer.cli.surveyed import surveyed


@click.command(cls=CommandHere)
@click.option(
    "--textfile",
    metavar="FILE",
    help="Write into FILE, as a whole, for the textfile collector of node_exporter.  [default: standard output]",
)
@config_option
@click.pass_obj
def metrics(call: Call, textfile: str | None) -> None:
    """Print metrics of volumes, devices, checks and agents in Prometheus's text format, from the catalog.

    `segfleet page` serves the same at /metrics.
    """
    from producer.monitor.metrics.metrics import metrics_text
    from tasks.broker.leases import this_release

    content = metrics_text(surveyed(call), this_release())
    if textfile is None:
        click.echo(content.decode(), nl=False)
    else:
        write_result(absolute(textfile), content, option="--textfile")
