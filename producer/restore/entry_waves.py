"""The waves of a restore that make entries in the target: any worker that lives can write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from producer.restore.orders import RestoreOrders, batches
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DeviceError, SegfleetError
from tasks.orders import Order, TargetEntry
from tasks.receipts import Receipt

#: What to do when a restore ends early.
AGAIN = "run the restore again with --overwrite if-changed"

#: Takes each receipt, on the run's thread.
Take = Callable[[Order, Receipt], None]


class EntryWaves:
    """``present``: device id → name, of the devices that are there; the restore sets it once it has looked."""

    def __init__(self, session: RunSession, orders: RestoreOrders, take: Take, on_wait: Callable[[], None]) -> None:
        self.present: dict[str, str] = {}
        self._session = session
        self._orders = orders
        self._take = take
        self._on_wait = on_wait

    def live(self) -> list[tuple[str, str]]:
        """Id and name of each device whose worker lives; raises DeviceError when none does."""
        live = [(key, name) for key, name in self.present.items() if name in self._session.courier.live]
        if not live:
            raise DeviceError("no device is left, so folders and links cannot be made", hint=AGAIN)
        return live

    def any_device(self) -> tuple[str, str]:
        return self.live()[0]

    def make_target(self, itself: TargetEntry | None) -> None:
        """Make the target; raises SegfleetError when it must be empty and is not, or no device is left to make it."""
        died: dict[str, str] = {}
        for device_id, device in self.present.items():
            order = self._orders.target(device, device_id, itself)
            why = run_wave(self._session, {device: [order]}, self._take)
            if not why:
                self.present = dict(self.live())
                return
            died |= why
        raise DeviceError("no device is left: " + "; ".join(f"{device}: {why}" for device, why in died.items()))

    def make(self, entries: Iterator[TargetEntry], *, devices_count: int | None = None, claim: bool = False) -> None:
        """One wave, divided among the workers, at most ``devices_count`` of them."""
        live = self.live()
        divided = batches(entries)

        def share(device_id: str, device: str) -> Iterator[Order]:
            for batch in divided:
                yield self._orders.entries(device, device_id, batch, claim=claim)

        self.run({name: share(device_id, name) for device_id, name in live[:devices_count]})

    def run(self, orders: Mapping[str, Iterable[Order]], take: Take | None = None) -> None:
        """Raises SegfleetError when a worker dies in it."""
        died = run_wave(self._session, orders, take or self._take, on_wait=self._on_wait)
        for device, why in died.items():
            raise SegfleetError(f"device {device} died while entries were made: {why}", hint=AGAIN)
