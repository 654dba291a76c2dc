"""Reads files of manifests from whichever device has them whole."""

from __future__ import annotations

import base64
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from blake3 import blake3
from msgspec import Struct

from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DamagedError
from tasks.orders import GetManifest, Order
from tasks.receipts import Receipt

#: A file is up to 6 MiB, and 8 MB as text.
_WINDOW_COUNT = 4


class WantedFile(Struct, frozen=True, kw_only=True):
    """``digest``: its BLAKE3; None where nothing says what it must be."""

    name: str
    devices: tuple[str, ...]
    digest: str | None = None


def holding(names: Mapping[str, frozenset[str]], name: str) -> tuple[str, ...]:
    """The devices that have the file.  ``names``: device → the files that it has."""
    return tuple(sorted(device for device, found in names.items() if name in found))


class Fetcher:
    """``ids``: device → its id.  Used from the run's thread."""

    def __init__(self, session: RunSession, ids: Mapping[str, str]) -> None:
        self._session = session
        self._ids = ids

    def names(self) -> dict[str, frozenset[str]]:
        """Device → the names of all files of manifests that it has.  Raises DamagedError when one cannot say."""
        found: dict[str, frozenset[str]] = {}

        def take(order: Order, receipt: Receipt) -> None:
            if receipt.failure is not None:
                raise DamagedError(f"device {order.device}: {receipt.failure.message}", hint=_WITHOUT_IT)
            found[order.device] = frozenset(receipt.result.names)

        died = run_wave(self._session, {device: [self._order(device, "")] for device in self._ids}, take)
        for device, why in died.items():
            raise DamagedError(f"device {device}: {why}", hint=_WITHOUT_IT)
        return found

    def copies(self, wanted: Iterable[WantedFile], take: Callable[[str, str, bytes], None]) -> None:
        """Read each file from each of its devices, as it is there: ``take(name, device, data)``."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for one in wanted:
            for device in one.devices:
                names[device].append(one.name)
        self._fetch(names, take, lambda _name, _device, _why: None)

    def whole(self, wanted: Collection[WantedFile], take: Callable[[str, bytes], None]) -> dict[str, str]:
        """Read each file once, from the first of its devices that has it whole: ``take(name, data)``.

        Returns the files that none has → why.
        """
        left, failed = {one.name: one for one in wanted}, dict[str, str]()
        tried: defaultdict[str, set[str]] = defaultdict(set)
        while names := self._shared_out(left, tried):

            def on_data(name: str, device: str, data: bytes) -> None:
                if left[name].digest in (None, blake3(data).hexdigest()):
                    del left[name]
                    take(name, data)
                else:
                    failed[name] = f"it is damaged on device {device}"

            def on_failure(name: str, device: str, why: str) -> None:
                failed[name] = f"device {device}: {why}"

            self._fetch(names, on_data, on_failure)
        return {name: failed.get(name, "no device has it") for name in left}

    def _shared_out(self, left: Mapping[str, WantedFile], tried: Mapping[str, set[str]]) -> dict[str, list[str]]:
        """Device → the files to ask it for: each file of one that was not asked yet, the least busy one."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name, one in left.items():
            devices = [device for device in one.devices if device not in tried[name]]
            if devices:
                device = min(devices, key=lambda device: len(names[device]))
                names[device].append(name)
                tried[name].add(device)
        return {device: asked for device, asked in names.items() if asked}

    def _fetch(
        self,
        names: Mapping[str, Iterable[str]],
        on_data: Callable[[str, str, bytes], None],
        on_failure: Callable[[str, str, str], None],
    ) -> None:
        asked: dict[str, str] = {}

        def orders(device: str) -> Iterator[Order]:
            for name in names[device]:
                order = self._order(device, name)
                asked[order.order_id] = name
                yield order

        def take(order: Order, receipt: Receipt) -> None:
            name = asked.pop(order.order_id)
            if receipt.failure is not None:
                on_failure(name, order.device, receipt.failure.message)
            else:
                on_data(name, order.device, base64.b64decode(receipt.result.data_base64))

        run_wave(self._session, {device: orders(device) for device in names}, take, window_count=_WINDOW_COUNT)

    def _order(self, device: str, name: str) -> GetManifest:
        fields = self._session.order_fields(device, device_id=self._ids[device])
        return GetManifest(order_id=uuid.uuid4().hex, name=name, **fields)


_WITHOUT_IT = "look at the device; to rebuild without it, leave it out of the command"
