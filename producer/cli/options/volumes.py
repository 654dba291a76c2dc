"""What ``[volumes.NAME]`` says about the backup that a command line asks for.

The options of its table are defaults below those of the environment, and above ``[defaults]``; its lists come before
those of the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from producer.cli.options.sources.sources import Asker, volume_of
from producer.configuration.tables import Configuration, VolumeTable
from tasks.errors import UsageError

#: Parameter of the command line → list of the table.
_LISTS = {
    "patterns": "exclude",
    "patterns_any_case": "iexclude",
    "exclude_files": "exclude_file",
    "exclude_if_present": "exclude_if_present",
    "ignore_files": "ignore_file",
    "required_mounts": "require_mount",
    "tags": "tags",
}


def table_meant(given: Mapping[str, Any], configuration: Configuration, asker: Asker) -> VolumeTable | None:
    """The table of the volume that a command line means, by ``--volume`` or by its sources; None if it has none.

    ``given``: the words of the command line by parameter, not converted.  Raises UsageError for a path that means
    nothing.
    """
    volume, sources = given.get("volume"), given.get("sources")
    if not volume and isinstance(sources, list | tuple) and sources and not given.get("from_command"):
        volume = volume_of(sources, configuration, asker)
    return configuration.volumes.get(volume) if isinstance(volume, str) else None


def sources_of(volume: str | None, configuration: Configuration) -> tuple[str, ...]:
    """What a backup of ``volume`` takes if its command line names no source.  Raises UsageError for none."""
    if volume is None:
        raise UsageError(
            "no SOURCE is named",
            hint="name a folder, a file or a [sources.NAME], or --volume NAME of a [volumes.NAME] with sources",
        )
    table = configuration.volumes.get(volume)
    if table is not None and table.sources:
        return table.sources
    if volume in configuration.sources:
        return (volume,)
    names = [name for name, other in configuration.volumes.items() if other.sources]
    known = ", ".join(sorted({*names, *configuration.sources})) or "none"
    raise UsageError(
        f"volume {volume} has no sources",
        hint=f"name a SOURCE, or add sources to [volumes.{volume}]; volumes with sources in the configuration: {known}",
    )


def with_lists(choices: Mapping[str, Any], table: VolumeTable | None) -> dict[str, Any]:
    """``choices`` with the lists of the volume in front of their own."""
    if table is None:
        return dict(choices)
    lists = {name: (*getattr(table, key), *choices[name]) for name, key in _LISTS.items() if name in choices}
    return {**choices, **lists}


def devices_among(names: Collection[str], table: VolumeTable | None) -> list[str]:
    """Of the configured devices those that the volume takes: all, unless its table names some."""
    return [name for name in names if table is None or not table.devices or name in table.devices]
