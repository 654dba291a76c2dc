"""What ``plan`` and ``backup --dry-run`` print."""

from __future__ import annotations

from typing import Literal, TypedDict


class SegmentLine(TypedDict):
    """``path``: of its first file."""

    message_type: Literal["segment"]
    number: int
    device: str
    first_entry: int
    stop_entry: int
    offset_bytes: int
    size_bytes: int
    files: int
    path: str


class ShareJson(TypedDict):
    bytes_source: int
    files: int
    segments: int
    share: float
    site: str


class ItemJson(TypedDict):
    path: str
    size_bytes: int
    files: int
    segments: int
    devices: list[str]


class PlanSummaryLine(TypedDict):
    message_type: Literal["summary"]
    threshold_bytes: int
    bundle_limit_bytes: int
    file_cost_bytes: int
    files: int
    bytes_source: int
    segments: int
    largest_segment_bytes: int
    largest_load_bytes: int
    lower_bound_bytes: int
    spread: float
    cost_spread: float
    devices: dict[str, ShareJson]
    largest: list[ItemJson]
    parent_id: str
    files_new: int
    files_changed: int
    files_unchanged: int
    files_moved: int
