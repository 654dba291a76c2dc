"""``segfleet flower``."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option


@click.command(cls=CommandHere)
@click.option("--address", default="127.0.0.1", show_default=True, metavar="IP", help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5555, show_default=True, metavar="N", help="Port to listen on."
)
@config_option
@click.pass_obj
def flower(call: Call, address: str, port: int) -> None:
    """Show workers and orders in the browser, with Flower, until Ctrl-C.

    Set FLOWER_BASIC_AUTH=user:password in the environment to say who may see it.
    """
    from producer.broker import broker
    from producer.monitor.flower import check_password, serve

    check_password()
    environment = call.environment()
    with broker(environment.broker_url, environment.state) as server:
        click.echo(f"segfleet: Flower is at http://{address}:{port}", err=True)
        serve(server.url, address=address, port=port)
