"""What is known about one call of the program before its command runs."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from producer.cli.output import GuardedOutput
from producer.configuration.certificates import CA_VARIABLE, SKIP_VARIABLE, with_certificates
from producer.configuration.finding import CONFIG_VARIABLE, FILE_NAME, find_configuration
from producer.configuration.reading import read_configuration
from producer.configuration.secrets import secret
from producer.configuration.tables import Configuration, VolumeTable
from producer.configuration.values.sizes import parse_size
from producer.dispatch.limits import Limits
from producer.host.behalf import MANAGER_VARIABLE, RUN_VARIABLE, terminal_width
from producer.host.patience import Patience
from producer.host.reading_place import place_to_read
from producer.host.scouting.looks import look
from producer.host.state import StateFolder, open_state
from producer.run.environment import Environment
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.fleet.spawn import FirstWorkers
    from producer.raw.quiesce.hooks import Hooks

BROKER_VARIABLE = "SEGFLEET_BROKER_URL"
CATALOG_VARIABLE = "SEGFLEET_CATALOG_URL"
STALL_VARIABLE = "SEGFLEET_STALL_S"
REJOIN_VARIABLE = "SEGFLEET_REJOIN_S"
EVENTS_VARIABLE = "SEGFLEET_EVENTS"

#: In ``ctx.meta``: the words of the command line by parameter, not converted.
GIVEN = "segfleet.given"


class Call(Struct, kw_only=True):
    """Click's context object.  The shared options fill it (``options.py``), the commands read it."""

    json: bool = False
    output: GuardedOutput = field(default_factory=GuardedOutput)
    #: ``--config``, before the command's name or after it.
    config_file: str | None = None
    #: ``--quiet``: say nothing when all is well.
    quiet: bool = False
    #: ``--verbose``: name each file that is new, changed or moved.
    verbose: bool = False
    #: ``--wide``: tables are as wide as they are.
    wide: bool = False
    #: ``--wait``: how long to wait for what another run holds.
    wait_s: int = 0
    configuration: Configuration = field(default_factory=Configuration)
    configuration_path: Path | None = None
    #: What the configuration says of the volume that this command line means; None if it says nothing.
    volume_table: VolumeTable | None = None
    #: Whether a master asks, who may name only what the configuration has.  None: the user of this process does.
    by_master: bool | None = None

    def read_configuration(self, flag: str | None) -> None:
        """Read the file that ``flag``, the environment or the usual places name; raises UsageError."""
        here, named = _working_folder(), flag or self.config_file
        self.config_file = named
        asked = named or os.environ.get(CONFIG_VARIABLE)
        found = look(
            Path(asked) if asked else (here or Path()) / FILE_NAME,
            lambda _: _found_and_read(find_configuration(named, os.environ, here)),
        )
        if found is None:
            return
        self.configuration, path = found
        self.configuration_path = path.absolute()
        if here is not None and path == here / FILE_NAME and not asked:
            refuse_hooks(self.configuration, path)

    def says(self, exit_code: int) -> bool:
        """Whether people want to read how something ended: always, unless it went well and they asked for quiet."""
        return bool(exit_code) or not self.quiet

    @property
    def width(self) -> int | None:
        """The width of the terminal that shows the output, here or at a master; None without one, or with --wide."""
        return None if self.wide else terminal_width()

    @property
    def is_on_behalf(self) -> bool:
        """Whether a manager has started this process."""
        return bool(os.environ.get(MANAGER_VARIABLE))

    @property
    def asker(self) -> Literal["here", "fleet", "master"]:
        """Who names sources, and so what a SOURCE may be."""
        if self.is_on_behalf if self.by_master is None else self.by_master:
            return "master"
        return "fleet" if self.broker_url is not None else "here"

    @property
    def broker_url(self) -> str | None:
        """The configured broker; it may hold a password.  Raises UsageError for one that is not to be verified."""
        table = self.configuration.broker
        url = secret(BROKER_VARIABLE, os.environ) or table.url
        if url is None:
            return None
        ca_certs = os.environ.get(CA_VARIABLE)
        return with_certificates(
            url,
            ca_certs=os.path.abspath(ca_certs) if ca_certs else table.ssl_ca_certs,
            skip_verify=os.environ.get(SKIP_VARIABLE) == "1" or table.insecure_skip_verify,
        )

    def environment(self, *, boot: Iterable[str] = (), reads: bool = False) -> Environment:
        """Where the run keeps its state; ``reads``: it stores nothing, and runs beside other runs.

        Without a configured broker, the private one starts at once if the run is to have workers for the devices
        ``boot``.  Call it before you import the modules of the run: that takes longer than the start.

        URLs come from the environment or the file, not from flags: they may contain passwords, and everybody can see
        flags in the process list.
        """
        state = open_state()
        if reads and not self.broker_url:
            state = place_to_read(state)
        first_workers = None if self.broker_url else _first_workers(list(boot), state)
        return Environment(
            state=state,
            patience=Patience(until_s=time.monotonic() + self.wait_s),
            first_workers=first_workers,
            broker_url=self.broker_url,
            hooks=self.hooks(),
            catalog_url=secret(CATALOG_VARIABLE, os.environ) or self.configuration.catalog.url,
            limits=Limits(
                stall_s=_seconds(STALL_VARIABLE, Limits().stall_s),
                rejoin_s=_seconds(REJOIN_VARIABLE, Limits().rejoin_s),
            ),
            manager=os.environ.get(MANAGER_VARIABLE, ""),
            run_id=os.environ.get(RUN_VARIABLE, ""),
            events=os.environ.get(EVENTS_VARIABLE) == "1",
            max_rates={
                name: parse_size(table.max_rate)
                for name, table in self.configuration.devices.items()
                if table.max_rate is not None
            },
            discarding=frozenset(name for name, table in self.configuration.devices.items() if table.discard),
            sites={name: table.site for name, table in self.configuration.devices.items() if table.site},
            append_only=frozenset(name for name, table in self.configuration.devices.items() if table.append_only),
            rotating={name: table.rotating for name, table in self.configuration.devices.items()},
        )

    def hooks(self) -> dict[str, Hooks]:
        if not self.configuration.volumes:
            return {}
        # Imported only here: it costs every list 7 ms.
        from producer.raw.quiesce.hooks import Hooks

        return {
            name: Hooks(
                volume=name,
                pre=table.pre,
                post=table.post,
                on_success=table.on_success,
                on_partial=table.on_partial,
                on_failure=table.on_failure,
                limit_s=table.hook_limit_s,
            )
            for name, table in self.configuration.volumes.items()
        }


def _found_and_read(path: Path | None) -> tuple[Configuration, Path] | None:
    return None if path is None else (read_configuration(path), path)


def _working_folder() -> Path | None:
    """None once it has been removed, or may not be entered: then it has no configuration."""
    try:
        return Path.cwd()
    except OSError:
        return None


def refuse_hooks(configuration: Configuration, path: Path) -> None:
    """Raises UsageError for commands in a file that was found because the user happens to stand beside it."""
    for name, table in configuration.volumes.items():
        if any((table.pre, table.post, table.on_success, table.on_partial, table.on_failure)):
            raise UsageError(
                f"{path}: volume {name} has commands to run, and the file was found in the current folder",
                hint=f"if you trust it, name it: --config {path}, or {CONFIG_VARIABLE}={path}",
                path=str(path),
            )


def _first_workers(devices: list[str], state: StateFolder) -> FirstWorkers | None:
    if not devices:
        return None
    # Lists have no workers.
    from producer.broker.shares import begin_private_server
    from producer.fleet.spawn import FirstWorkers

    begin_private_server(state.broker_dir)
    return FirstWorkers(devices, state.logs_dir)


def _seconds(variable: str, default_s: float) -> float:
    """A positive number of seconds from the environment; raises UsageError."""
    text = os.environ.get(variable)
    if not text:
        return default_s
    try:
        value_s = float(text)
    except ValueError:
        value_s = math.nan
    if not 0 < value_s < math.inf:
        raise UsageError(
            f"{variable}={text} must be a number of seconds greater than 0", hint="see docs/configuration.md"
        )
    return value_s
