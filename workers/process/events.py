"""Celery's events, which Flower shows: sent while somebody looks, and by nothing that waits for the broker.

Celery's own heartbeat tries again and again to send its last event to a broker that is away, so a worker would not
end.  The step that renews the lease sends the beats instead, after the broker has just answered.
"""

from __future__ import annotations

from typing import Any

from celery.worker.state import SOFTWARE_INFO, active_requests, all_total_count

#: Flower shows a worker as offline after twice this time without a beat.
_BEAT_EVERY_S = 5.0


class Events:
    """Turns the events of one worker on and off.  Called from the worker's event loop."""

    def __init__(self, *, always: bool) -> None:
        self._always = always
        #: The dispatcher that last sent that the worker is there; each reconnect makes a new one.
        self._greeted: Any = None

    def look(self, consumer: Any, *, is_watched: bool) -> None:
        """Make the worker's events what they should be now, and send a beat if they are on."""
        dispatcher = getattr(consumer, "event_dispatcher", None)
        if dispatcher is None:
            return
        if is_watched or self._always:
            self._send_beat(consumer, dispatcher)
        elif dispatcher.enabled:
            dispatcher.disable()
            consumer.update_strategies()

    def _send_beat(self, consumer: Any, dispatcher: Any) -> None:
        if not dispatcher.enabled:
            dispatcher.enable()
            consumer.update_strategies()
        kind = "worker-heartbeat" if self._greeted is dispatcher else "worker-online"
        self._greeted = dispatcher
        dispatcher.send(
            kind, freq=_BEAT_EVERY_S, active=len(active_requests), processed=all_total_count[0], **SOFTWARE_INFO
        )
