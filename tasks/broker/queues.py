"""Names of queues, and of the keys beside them.

=======================  ============================================================
``device.<name>``        orders for one device
``manager.<name>…``      receipts for one manager, a queue for each of its runs
``command.<name>``       commands of masters to one manager
``master.<id>``          replies to one command
=======================  ============================================================

Each kind has its own prefix, because rights in the broker are given by prefix (:mod:`producer.broker.acl`).  Messages
are published to the default exchange with the queue's name as routing key, so that kombu can always put back an
unacknowledged message: no binding can be missing.
"""

from __future__ import annotations

from typing import NamedTuple

DEVICE_PREFIX = "device."
MANAGER_PREFIX = "manager."
COMMAND_PREFIX = "command."
MASTER_PREFIX = "master."


class UnackedKeys(NamedTuple):
    """Where kombu keeps those messages of one queue that were taken but not acknowledged."""

    #: Hash: delivery tag → [message, exchange, routing key].
    messages: str
    #: Sorted set: delivery tags by the time when they were taken.
    times: str
    mutex: str


def device_queue(device: str) -> str:
    """a --> device.a"""
    return DEVICE_PREFIX + device


def manager_queue(manager: str, run: str = "") -> str:
    """The inbox of one run, or without ``run`` that of the manager: (m, 0a1b2c3d) --> manager.m.0a1b2c3d"""
    return f"{MANAGER_PREFIX}{manager}.{run}" if run else MANAGER_PREFIX + manager


def command_queue(manager: str) -> str:
    """m --> command.m"""
    return COMMAND_PREFIX + manager


def unacked_keys(queue: str) -> UnackedKeys:
    """Separate keys for each queue (kombu has one set for all), so that workers see only their own device's orders."""
    return UnackedKeys(messages=f"unacked.{queue}", times=f"unacked_index.{queue}", mutex=f"unacked_mutex.{queue}")
