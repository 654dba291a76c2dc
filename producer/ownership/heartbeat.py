"""The thread that renews an owner of locks."""

from __future__ import annotations

import logging
import threading

from producer.catalog.catalog import Catalog
from producer.ownership.verdict import RENEW_S
from tasks.errors import CatalogError

log = logging.getLogger("segfleet.heartbeat")

#: A database that does not answer must not keep a run from ending.
_JOIN_S = 1.0


class Heartbeat:
    """Renews one owner from :meth:`start` to :meth:`stop`, or until the owner is no more.

    It opens its own connection to the catalog, as every thread must, at the first renewal: most commands end sooner.
    While the catalog cannot be reached it keeps trying; the run notices by itself.
    """

    def __init__(self, location: str, owner_id: str) -> None:
        self._location = location
        self._owner_id = owner_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_again_and_again, name="heartbeat", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(_JOIN_S)

    def _renew_again_and_again(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                if not self._renew():
                    log.warning("this process has lost its locks")
                    return
            except CatalogError as error:
                log.warning("no sign of life could be given: %s", error)

    def _renew(self) -> bool:
        """Returns False once the owner is gone from the catalog, True once it need not be renewed any more."""
        with Catalog(self._location) as catalog:
            while catalog.owners.renew(self._owner_id):
                if self._ended.wait(RENEW_S):
                    return True
        return False
