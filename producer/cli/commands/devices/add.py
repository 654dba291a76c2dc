"""``segfleet devices add``."""

from __future__ import annotations

from pathlib import Path

import click

from producer.cli.call import Call
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.known_devices import all_devices
from producer.cli.options.shared import config_option, devices_option, json_option, named_folder, wait_option
from producer.cli.show.live.watching import watched
from producer.cli.show.rows.devices import show_devices
from producer.cli.show.safe_text import escaped
from producer.cli.show.wrapped import say, warn
from producer.run.preflight import check_devices


@click.command(cls=CommandHere)
@click.argument("device", type=named_folder, metavar="NAME=PATH")
@click.option("--site", default="", metavar="SITE", help="Where the device stands, such as cellar.")
@devices_option
@wait_option
@json_option
@config_option
@click.pass_obj
def add(call: Call, device: tuple[str, Path], site: str, devices: dict[str, Path]) -> None:
    """Make an empty folder a device of the pool now; the next backup would do the same.

    The pool is that of the devices named with --device, in the configuration, or in the catalog.
    """
    call.output.is_the_result = False
    name, place = device
    others = {key: path for key, path in (devices or all_devices(call)).items() if key != name}
    check_devices({**others, name: place})

    from producer.pool.add import add_device

    with watched(call) as observer:
        row = add_device(name, place, others, observer, call.environment(), site=checked_site(site))
    if call.json:
        show_devices(call, [row])
    else:
        at = f" at {row.site}" if row.site else ""
        say(f"device {row.name} ({row.device_id[:8]}){at} is {escaped(row.path)}, in pool {row.pool_id[:8]}")
    if name not in call.configuration.devices:
        warn(f"to use it in each backup, name it in the configuration: [devices.{name}]")


def checked_site(site: str) -> str:
    """Raises UsageError for an invalid name of a site."""
    if not site:
        return site

    import msgspec

    from tasks.errors import UsageError
    from tasks.values import SiteName

    try:
        return msgspec.convert(site, SiteName)
    except msgspec.ValidationError as error:
        hint = "1 to 63 letters, digits, and . _ - inside"
        raise UsageError(f"--site: {site!r} is not the name of a site", hint=hint) from error
