"""What is wrong with a configuration, seen from its host.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from msgspec import Struct

from producer.cli.commands.config.facts import Facts
from producer.cli.options.sources.naming import volume_name
from producer.configuration.tables import Configuration


class Finding(Struct, frozen=True, kw_only=True):
    #: error: some command fails because of it; warning: it may be meant.
    level: Literal["error", "warning"]
    #: Where in the file.
    keys: tuple[str, ...]
    message: str


def findings(configuration: Configuration, facts: Facts) -> Iterator[Finding]:
    yield from _of_servers(facts)
    yield from _of_devices(configuration, facts)
    yield from _of_sources(configuration, facts)
    yield from _of_volumes(configuration, facts)
    for name, why in facts.schedule_troubles.items():
        yield _error(("schedules", name, "cron"), why)


def _error(keys: tuple[str, ...], message: str) -> Finding:
    return Finding(level="error", keys=keys, message=message)


def _warning(keys: tuple[str, ...], message: str) -> Finding:
    return Finding(level="warning", keys=keys, message=message)


def _of_servers(facts: Facts) -> Iterator[Finding]:
    if facts.broker_trouble:
        yield _error(("broker", "url"), f"the broker: {facts.broker_trouble}")
    if facts.catalog_trouble:
        yield _error(("catalog", "url"), f"the catalog: {facts.catalog_trouble}")


def _of_devices(configuration: Configuration, facts: Facts) -> Iterator[Finding]:
    chosen = [set(table.devices) for table in configuration.volumes.values() if table.sources]
    everywhere = not chosen or any(not names for names in chosen)
    for name, table in configuration.devices.items():
        keys = ("devices", name)
        if table.path is not None:
            if facts.kinds[table.path] != "folder":
                yield _error((*keys, "path"), f"device {name}: {_in_words(table.path, facts)}")
        elif facts.served is None:
            yield _error(keys, f"device {name} has no path, and without a broker no agent can serve it")
        elif name not in facts.served and not facts.broker_trouble:
            yield _error(keys, f"no agent serves device {name}; start one on its host: segfleet worker {name}")
        if not everywhere and not any(name in names for names in chosen):
            yield _warning(keys, f"no volume uses device {name}")


def _of_sources(configuration: Configuration, facts: Facts) -> Iterator[Finding]:
    made = {name for table in configuration.volumes.values() if table.pre for name in table.sources}
    used = {name for table in configuration.volumes.values() for name in table.sources}
    used |= facts.reserved | {table.volume for table in configuration.schedules.values() if table.volume}
    for name, source in configuration.sources.items():
        keys = ("sources", name)
        table = configuration.volumes.get(name)
        is_made = name in made or (table is not None and bool(table.pre))
        if facts.kinds[source.path] in ("nothing", "silent") and not is_made:
            yield _error((*keys, "path"), f"source {name}: {_in_words(source.path, facts)}")
        if configuration.volumes and name not in used:
            yield _warning(keys, f"no volume and no schedule uses source {name}")
    for name, target in configuration.targets.items():
        if facts.kinds[target.path] == "silent":
            yield _error(("targets", name, "path"), f"target {name}: {_in_words(target.path, facts)}")


def _of_volumes(configuration: Configuration, facts: Facts) -> Iterator[Finding]:
    scheduled = facts.reserved | {table.volume for table in configuration.schedules.values() if table.volume}
    for name, table in configuration.volumes.items():
        keys = ("volumes", name)
        for path in table.sources:
            if path.startswith("/") and not table.pre and facts.kinds[path] in ("nothing", "silent"):
                yield _error((*keys, "sources"), f"volume {name}: {_in_words(path, facts)}")
        for path in table.exclude_file:
            if facts.kinds[path] != "other":
                yield _error((*keys, "exclude-file"), f"volume {name}: {_in_words(path, facts, 'a file')}")
        if table.sources and _only_rotating(table.devices or configuration.devices.keys(), configuration):
            yield _warning(
                keys,
                f"volume {name} has rotating devices only: its backup fails when none is there, and what lies on one "
                "that is away cannot be restored meanwhile; give it a device that stays, or --copies",
            )
        excluding = [
            one for one in table.sources if one in configuration.sources and configuration.sources[one].exclude
        ]
        if len(table.sources) > 1 and excluding:
            text = f"volume {name}: the exclude list of source {excluding[0]} would apply to its other sources too"
            yield _error((*keys, "sources"), f"{text}; move it to [volumes.{name}]")
        if not table.sources and not _is_of_sources(name, configuration):
            yield _warning(keys, f"volume {name} has no sources: its table applies to backups that name it")
        elif scheduled and name not in scheduled:
            yield _warning(keys, f"no schedule backs up volume {name}")


def _only_rotating(devices: Collection[str], configuration: Configuration) -> bool:
    known = [configuration.devices[name] for name in devices if name in configuration.devices]
    return bool(known) and all(table.rotating for table in known)


def _is_of_sources(volume: str, configuration: Configuration) -> bool:
    """Whether a backup of configured sources gets this name by itself."""
    names = [name for name in configuration.sources if name in volume]
    return volume in configuration.sources or volume == volume_name(names)


def _in_words(path: str, facts: Facts, wanted: str = "a folder") -> str:
    match facts.kinds[path]:
        case "nothing":
            return f"{path} does not exist, or cannot be read"
        case "silent":
            return f"the file system of {path} does not answer"
        case _:
            return f"{path} is not {wanted}"
