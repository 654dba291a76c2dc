"""A plan as lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from producer.configuration.values.sizes import format_size
from producer.plan.describe import Item, PlanDescription

_EIGHTHS = " ▏▎▍▌▋▊▉"
#: A terminal that has less to the right of the table gets no bars.
_MIN_BAR_WIDTH = 8


def text_lines(
    description: PlanDescription, path_of: Callable[[int], str], width: int = 80, sites: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The lines to print, none longer than ``width`` except for long names.  ``path_of`` must return printable text.

    ``sites``: device → where it stands, shown behind its name.
    """
    yield (
        f"threshold    {format_size(description.threshold_bytes)}, for {format_size(description.bytes_source)} "
        f"in {description.files_count:,} files on {len(description.devices)} devices"
    )
    yield (
        f"segments     {description.segments_count:,}, the largest {format_size(description.largest_segment_bytes)}; "
        + _bundles_text(description)
    )
    yield (
        f"lower bound  {format_size(description.lower_bound_bytes)} on the fullest device, whatever the plan; "
        f"here {format_size(description.largest_load_bytes)}"
    )
    yield f"spread       {description.spread * 100:.2f} %, (max - min) / mean{_cost_text(description)}"
    yield ""
    yield from _device_lines(description, width, sites or {})
    if description.largest:
        yield ""
        yield from _item_lines(description, path_of)


def bar(share: float, width: int) -> str:
    """A bar of ``share`` (0 to 1) of ``width`` characters, to an eighth of a character."""
    full, eighths = divmod(round(share * width * 8), 8)
    return ("█" * full + _EIGHTHS[eighths]).rstrip()


def _bundles_text(description: PlanDescription) -> str:
    if not description.bundle_limit_bytes:
        return "no bundles"
    return f"files up to {format_size(description.bundle_limit_bytes)} are bundled"


def _cost_text(description: PlanDescription) -> str:
    if not description.file_cost_bytes:
        return ""
    file_cost = format_size(description.file_cost_bytes)
    return f"; {description.cost_spread * 100:.2f} % with {file_cost} of work for each file"


def _device_lines(description: PlanDescription, width: int, sites: Mapping[str, str]) -> Iterator[str]:
    names = [f"{one.device} ({site})" if (site := sites.get(one.device)) else one.device for one in description.devices]
    name_width = max(6, *map(len, names))
    header = f"{'device':{name_width}}  {'bytes':>10}  {'files':>11}  {'segments':>8}  {'share':>7}  "
    yield header.rstrip()
    bar_width = width - len(header)
    fullest_bytes = max(1, description.largest_load_bytes)
    for name, share in zip(names, description.devices, strict=True):
        yield (
            f"{name:{name_width}}  {format_size(share.bytes_source):>10}  {share.files_count:>11,}  "
            f"{share.segments_count:>8,}  {share.share * 100:>5.1f} %  "
            f"{bar(share.bytes_source / fullest_bytes, bar_width) if bar_width >= _MIN_BAR_WIDTH else ''}"
        ).rstrip()


def _item_lines(description: PlanDescription, path_of: Callable[[int], str]) -> Iterator[str]:
    yield f"{'largest':>10}  where"
    for item in description.largest:
        yield f"{format_size(item.size_bytes):>10}  {_item_text(item, path_of)}"


def _item_text(item: Item, path_of: Callable[[int], str]) -> str:
    path = path_of(item.first_entry)
    if item.files_count > 1:
        path = f"bundle of {item.files_count:,} files from {path}"
    devices = ", ".join(item.devices[:4]) + (f" and {len(item.devices) - 4} more" if len(item.devices) > 4 else "")
    return f"{path}: " + (f"{item.segments_count:,} segments on {devices}" if item.segments_count > 1 else devices)
