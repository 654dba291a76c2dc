"""What workers that outlive a run may still be writing to a target when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from tasks.orders import Order
from tasks.receipts import Receipt
from tasks.registry import kind_of


class Purged(Struct, frozen=True, kw_only=True):
    """Ids of the orders of a run that were removed at a device."""

    #: Those that waited in its queue.
    waited: tuple[str, ...]
    #: Those that a worker had taken and not finished, and that write to a target; one that came twice is here twice.
    held: tuple[str, ...]


class LastOrders:
    """Counts the receipts that must come before nobody writes to a target any longer.

    Under load an order may come twice, and its second delivery outlive the receipt of the first.
    """

    def __init__(self) -> None:
        self._awaited: Counter[tuple[str, str]] = Counter()

    def add(self, device: str, purged: Purged, in_flight: Mapping[str, Order]) -> None:
        """Note what a living worker of ``device`` had to do; ``in_flight`` are the orders without any receipt."""
        never_begun = set(purged.waited).difference(purged.held)
        begun = [key for key, order in in_flight.items() if key not in never_begun and _writes(order)]
        self._awaited += Counter((device, order_id) for order_id in purged.held) | Counter(
            (device, order_id) for order_id in begun
        )

    def take(self, receipts: Iterable[Receipt]) -> None:
        self._awaited -= Counter((receipt.device, receipt.order_id) for receipt in receipts)

    @property
    def are_left(self) -> bool:
        return bool(self._awaited)


def _writes(order: Order) -> bool:
    return kind_of(order).must_not_outlive_run
