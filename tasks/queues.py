"""Names of queues, and of the keys beside them.

=======================  ============================================================
``device.<name>``        orders for one device
``manager.<name>…``      receipts for one manager, a queue for each of its runs
``command.<name>``       what masters ask of one manager
``master.<id>``          replies to one command
=======================  ============================================================

Each kind has a prefix of its own, for rights in the broker go by prefixes (:mod:`producer.broker.acl`).  Messages are
published to the default exchange with the queue's name as routing key, so that kombu can always put an unacknowledged
message back: there is no binding that could be missing.
"""

from __future__ import annotations

from typing import NamedTuple

DEVICE_PREFIX = "device."
MANAGER_PREFIX = "manager."
COMMAND_PREFIX = "command."
MASTER_PREFIX = "master."


class UnackedKeys(NamedTuple):
    """Where kombu keeps the messages of one queue that were taken and not acknowledged."""

    #: Hash: delivery tag → [message, exchange, routing key].
    messages: str
    #: Sorted set: delivery tag by the time when it was taken.
    times: str
    mutex: str


def device_queue(device: str) -> str:
    """a --> device.a"""
    return DEVICE_PREFIX + device


def manager_queue(manager: str, run: str = "") -> str:
    """The inbox of one run; without ``run`` that of the manager: (m, 0a1b2c3d) --> manager.m.0a1b2c3d"""
    return f"{MANAGER_PREFIX}{manager}.{run}" if run else MANAGER_PREFIX + manager


def command_queue(manager: str) -> str:
    """m --> command.m"""
    return COMMAND_PREFIX + manager


def unacked_keys(queue: str) -> UnackedKeys:
    """Keys for each queue, where kombu would have one set for all: nobody sees what another device's worker holds."""
    return UnackedKeys(messages=f"unacked.{queue}", times=f"unacked_index.{queue}", mutex=f"unacked_mutex.{queue}")
