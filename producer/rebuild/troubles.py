"""What a rebuild could not read: tells the observer, and counts."""

from __future__ import annotations

from producer.observer import Observer, Trouble


class Troubles:
    """``is_whole``: whether all that the devices hold could be read."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.count = 0
        self.is_whole = True

    def manifest(self, message: str, snapshot_id: str = "", device: str = "", *, is_loss: bool = True) -> None:
        """Of a file of a manifest.  ``is_loss``: whether no other device has it whole."""
        self.is_whole = self.is_whole and not is_loss
        self.tell("manifest", message, snapshot_id, device)

    def tell(self, code: str, message: str, snapshot_id: str = "", device: str = "") -> None:
        self.count += 1
        self._observer.trouble(Trouble(code=code, message=message, snapshot_id=snapshot_id, device=device))
