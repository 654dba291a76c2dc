"""What a check finds wrong: counted, and reported."""

from __future__ import annotations

from collections.abc import Mapping

from producer.observer import Observer, Trouble


class Findings:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.errors_count = 0

    def tell(self, code: str, message: str, **of: str) -> None:
        """Report and count an error; ``of``: the path, snapshot and device that it is about."""
        self.errors_count += 1
        self._observer.trouble(Trouble(code=code, message=message, **of))

    def detail(self, code: str, message: str, **of: str) -> None:
        """Report one file of an error that :meth:`tell` has counted already."""
        self._observer.trouble(Trouble(code=code, message=message, **of))

    def tell_deaths(self, died: Mapping[str, str]) -> None:
        for device, why in died.items():
            self.tell("device-dead", f"device {device}: {why}; what it holds was not checked to the end")
