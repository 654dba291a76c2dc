"""Reports the devices that a backup stores nothing on."""

from __future__ import annotations

from producer.observer import Trouble
from producer.pool.decide import PoolDecision
from producer.run.session import RunSession


def tell_left_out(session: RunSession, decision: PoolDecision) -> None:
    """Name each device that is read-only or away, and why; that a rotating device is away is no trouble."""
    for name, why in decision.read_only.items():
        message = f"device {name} is read-only: {why}; nothing is written to it, and what it holds can be restored"
        session.observer.trouble(Trouble(code="device-read-only", message=message))
    for name, why in decision.absent.items():
        if session.rotating.get(name):
            session.observer.note(f"device {name} is away, as rotating devices are: {why}")
        else:
            session.observer.trouble(Trouble(code="device-absent", message=f"device {name} is absent: {why}"))
