"""What a shell completes: files, and the names that the catalog and the configuration have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from producer.cli.call import Call
from tasks.errors import SegfleetError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete files."""
    return [CompletionItem(incomplete, type="file")]


def folders(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete folders."""
    return [CompletionItem(incomplete, type="dir")]


def commands(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The commands of the program."""
    root = ctx.find_root()
    names = root.command.list_commands(root) if isinstance(root.command, click.Group) else []
    return _starting(incomplete, ((name, "") for name in names))


def _of_catalog(named: Callable[[Call, Catalog], Iterable[tuple[str, str]]]) -> Completer:
    """Names with what to say about them; none where the catalog cannot be read: a shell shows no errors."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from producer.cli.catalog import opened_catalog

        call = Call()
        try:
            call.read_configuration(None)
            with opened_catalog(call) as catalog:
                return _starting(incomplete, named(call, catalog))
        except (SegfleetError, OSError):
            return []

    return complete


def _starting(incomplete: str, named: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    return [CompletionItem(name, help=help_ or None) for name, help_ in named if name.startswith(incomplete)]


def _snapshots(_call: Call, catalog: Catalog) -> Iterable[tuple[str, str]]:
    """``latest``, or that of each volume where there are several, then ids, the newest first."""
    from producer.cli.show.times import local_time

    rows = catalog.snapshots.all()[::-1]
    volumes = dict.fromkeys(row.volume for row in rows)
    if len(volumes) == 1:
        yield "latest", "the newest"
    for volume in volumes:
        yield f"{volume}@latest", f"the newest of {volume}"
    for row in rows:
        yield row.snapshot_id[:8], f"{row.volume}, {local_time(row.started_at)}"


def _volumes(call: Call, catalog: Catalog) -> Iterable[tuple[str, str]]:
    stored = (row.volume for row in catalog.snapshots.all())
    return ((name, "") for name in sorted({*stored, *call.configuration.volumes}))


def _devices(call: Call, catalog: Catalog) -> Iterable[tuple[str, str]]:
    known = {row.name: row.path for row in catalog.devices.all()}
    return sorted({**dict.fromkeys(call.configuration.devices, ""), **known}.items())


stored_snapshots = _of_catalog(_snapshots)
known_volumes = _of_catalog(_volumes)
known_devices = _of_catalog(_devices)
