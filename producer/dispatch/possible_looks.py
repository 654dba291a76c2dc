"""Can this be the answer to an order that only looks?  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tasks.orders import Order
from tasks.orders.cleaning import ContentsResult, DescribeObjects, ListObjects, ObjectContent
from tasks.orders.target_looks import FindSurplus, PreviewEntries, SurplusResult
from tasks.values import is_safe_path


def is_possible_look(result: Any, order: Order) -> bool:
    """Of other orders everything is possible."""
    match order:
        case PreviewEntries():
            return len(result.fates) == len(order.entries)
        case FindSurplus():
            return _is_surplus(result, order)
        case DescribeObjects():
            return _are_contents(result, order)
        case ListObjects():
            return len(result.positions) == (len(result.object_ids) if order.with_positions else 0)
    return True


def _is_surplus(result: SurplusResult, order: FindSurplus) -> bool:
    """Whether all that it names lies in a folder of the order, and is none of what the snapshot has there."""
    known: dict[str, set[str]] = defaultdict(set)
    for folder in order.folders:
        known[folder.path].update(folder.names)

    def fits(path: str) -> bool:
        above, _, name = path.rpartition("/")
        return above in known and bool(name) and is_safe_path(path) and name not in known[above]

    return (
        all(fits(found.path) for found in result.found)
        and all(trouble.path in known for trouble in result.troubles)
        and result.common_count <= sum(len(folder.names) for folder in order.folders)
        and result.elsewhere_count <= len(order.folders)
        and result.rest < len(order.folders)
    )


def _are_contents(result: ContentsResult, order: DescribeObjects) -> bool:
    ids = [one.object_id for one in result.contents]
    return (
        len(ids) == len(set(ids))
        and set(ids) <= set(order.object_ids)
        and all(_ascend(one.ranges) and _is_origin(one, order) for one in result.contents)
    )


def _is_origin(content: ObjectContent, order: DescribeObjects) -> bool:
    """Whether its files are as long as what it holds."""
    origin = content.origin
    if origin is None or not order.with_origin:
        return origin is None and not order.with_origin
    return origin.extents.total_bytes == content.size_bytes and all(at < len(origin.extents) for at in origin.unread)


def _ascend(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether they are apart, too, and none is empty."""
    stops = [0, *(offset + size for offset, size in ranges)]
    return all(size and offset >= stop for (offset, size), stop in zip(ranges, stops, strict=False))
