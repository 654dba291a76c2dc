"""Which raw volumes agents can read: those that their own configuration names."""

from __future__ import annotations

from producer.requests import Source
from tasks.errors import UsageError


def refuse_what_agents_cannot_find(source: Source, chosen: Source) -> None:
    """Raises UsageError if ``chosen`` reads ``source`` at a place that agents do not know."""
    if chosen.mode == "files" and chosen.path != source.path:
        raise UsageError(
            f"{source.path} is mounted writable on {chosen.path}, and its files cannot be read one by one: agents know "
            f"only the device",
            hint="unmount it or mount it read-only, use --freeze, or back up a [sources.NAME] of the mounted folder",
        )
    if chosen.mode == "raw" and chosen.path != source.path:
        raise UsageError(
            f"{source.path} cannot be read raw: agents know the folder, but not its device {chosen.path}",
            hint="give the device a [sources.NAME] of its own, on the manager's host and on those of all agents",
        )
    if chosen.mode == "raw" and chosen.within is not None and chosen.path.is_block_device():
        raise UsageError(
            f"{source.path} is a block device below source {chosen.within.source}: agents read only devices "
            f"that have a name of their own",
            hint="give it a [sources.NAME], on the manager's host and on those of all agents",
        )
