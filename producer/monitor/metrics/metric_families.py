"""Gauges for Prometheus, one sample for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

from producer.host.safe_text import escaped

Row = TypeVar("Row")
#: A metric's name without its prefix, its help, and its value for one row; None leaves the row out.
Gauge = tuple[str, str, Callable[[Row], float | None]]


def plain(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def labelled(
    name: str, text: str, labels: Sequence[str], samples: Iterable[tuple[Sequence[str], float | None]]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        if value is not None:
            # A name may hold bytes that are not UTF-8.
            family.add_metric([escaped(text) for text in values], value)
    return family


def of_each(label: str, gauges: Iterable[Gauge[Any]], rows: Sequence[tuple[str, Any]]) -> Iterator[Metric]:
    for name, text, value_of in gauges:
        yield labelled(f"segfleet_{label}_{name}", text, [label], [((key,), value_of(row)) for key, row in rows])
