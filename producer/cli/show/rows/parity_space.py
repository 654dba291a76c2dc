"""What parity costs, for a person and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.configuration.values.sizes import format_size

if TYPE_CHECKING:
    from producer.cli.show.json_types.states import ParitySpaceLine
    from producer.monitor.space.parity_space import ParitySpace


def parity_line(one: ParitySpace) -> str:
    line = (
        f"parity: {format_size(one.bytes_stored)}, {one.share:.1%} of the {format_size(one.bytes_protected)} in "
        f"{one.objects_count:,} objects that it protects"
    )
    if not one.small_groups_count:
        return line
    return f"{line}; {one.small_groups_count:,} of {one.groups_count:,} groups are small, and cost more"


def parity_row(one: ParitySpace) -> ParitySpaceLine:
    return {
        "message_type": "parity",
        "groups": one.groups_count,
        "small_groups": one.small_groups_count,
        "objects": one.objects_count,
        "bytes_protected": one.bytes_protected,
        "bytes_stored": one.bytes_stored,
        "share": round(one.share, 4),
    }
