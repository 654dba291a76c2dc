"""A plan as JSON rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.structs import asdict

from producer.plan.describe import Item, PlanDescription
from producer.plan.plan import Plan, PlannedSegment


def json_rows(
    plan: Plan, description: PlanDescription, path_of: Callable[[int], str], sites: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """One ``segment`` row for each segment in the order of placement, then the ``summary``.

    ``path_of`` returns the path of an entry in the snapshot; a bundle shows the path of its first file.
    ``sites``: device → where it stands.
    """
    for segment in plan:
        yield _segment_row(segment, path_of)
    yield {
        "message_type": "summary",
        "threshold_bytes": description.threshold_bytes,
        "bundle_limit_bytes": description.bundle_limit_bytes,
        "file_cost_bytes": description.file_cost_bytes,
        "files": description.files_count,
        "bytes_source": description.bytes_source,
        "segments": description.segments_count,
        "largest_segment_bytes": description.largest_segment_bytes,
        "largest_load_bytes": description.largest_load_bytes,
        "lower_bound_bytes": description.lower_bound_bytes,
        "spread": description.spread,
        "cost_spread": description.cost_spread,
        "devices": {
            share.device: {
                "bytes_source": share.bytes_source,
                "files": share.files_count,
                "segments": share.segments_count,
                "share": share.share,
                "site": (sites or {}).get(share.device, ""),
            }
            for share in description.devices
        },
        "largest": [_item_row(item, path_of) for item in description.largest],
    }


def _segment_row(segment: PlannedSegment, path_of: Callable[[int], str]) -> dict[str, Any]:
    row = asdict(segment)
    files_count = row.pop("files_count")
    return {"message_type": "segment", **row, "files": files_count, "path": path_of(segment.first_entry)}


def _item_row(item: Item, path_of: Callable[[int], str]) -> dict[str, Any]:
    return {
        "path": path_of(item.first_entry),
        "size_bytes": item.size_bytes,
        "files": item.files_count,
        "segments": item.segments_count,
        "devices": list(item.devices),
    }
