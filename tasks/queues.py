"""Queue names.

``device.<name>`` holds the orders for one device, ``manager.<name>`` the receipts for one manager.
Messages are published to the default exchange with the queue's name as routing key, so that kombu
can always put an unacknowledged message back: there is no binding that could be missing.
"""

from __future__ import annotations

DEVICE_PREFIX = "device."
MANAGER_PREFIX = "manager."


def device_queue(device: str) -> str:
    """a --> device.a"""
    return DEVICE_PREFIX + device


def manager_queue(manager: str) -> str:
    """local --> manager.local"""
    return MANAGER_PREFIX + manager
