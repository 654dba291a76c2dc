"""Who may do what in the broker: Redis users for agents, managers and masters.

A worker needs its device's queue, the queues of managers for its receipts, its lease, and what kombu and Celery keep
for themselves.  It cannot read another device's queue, give orders to other devices, list keys, or change the server.
Measured with ``redis-server`` 7.0; a test runs a backup under exactly these users.
"""

from __future__ import annotations

from collections.abc import Iterable

#: What every connection of kombu, Celery and redis-py begins with.
_CONNECT = "+ping +hello +auth +select +client|setname +client|id"

#: kombu's queues: lists, the unacknowledged messages in a hash and a sorted set, and the transactions around them.
_QUEUES = (
    "+brpop +rpop +lpush +rpush +llen +exists +del +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore +hset +hget "
    "+hdel +sadd +srem +smembers +set +get +time +multi +exec +watch +unwatch +discard +expire +pexpire"
)

#: Celery's remote control and events, which Flower reads.
_EVENTS = "+publish +subscribe +unsubscribe +psubscribe +punsubscribe +pubsub"

#: kombu's mutexes, and the moving of orders, are scripts; they reach no key that the user may not.
_SCRIPTS = "+evalsha +script|load +script|exists"

_KOMBU_KEYS = "~unacked* ~_kombu.binding* ~*.pidbox ~*.celery.pidbox*"
# A pattern that is subscribed to must be named exactly so.
_CHANNELS = "&/0.celery.pidbox &/0.reply.celery.pidbox &/0.celeryev*"


def device_user(device: str) -> str:
    """The command that makes the user of one device's workers; ``PASSWORD`` is for the operator to fill in."""
    keys = f"~device.{device} ~manager.* %R~segfleet.epoch.* ~segfleet.lease.{device}.*"
    return _user(f"agent-{device}", keys, "")


def manager_user(name: str) -> str:
    """The command that makes a manager's user: all queues, leases, epochs and runs, and no administration."""
    keys = "~device.* ~manager.* ~master.* ~segfleet.*"
    return _user(
        f"manager-{name}", keys, "+scan +mget +lrange +lrem +ltrim +hgetall +hvals +client|list +client|unblock"
    )


def master_user() -> str:
    """The command that makes the user of operators' command lines."""
    keys = "~manager.* ~master.* %R~segfleet.*"
    return _user("master", keys, "+scan +mget")


def acl_commands(devices: Iterable[str], managers: Iterable[str]) -> list[str]:
    """All commands for a fleet, in an order in which they can be given to the server one after another."""
    return [*map(device_user, devices), *map(manager_user, managers), master_user()]


def _user(name: str, keys: str, more: str) -> str:
    rights = " ".join(filter(None, (_CONNECT, _QUEUES, _EVENTS, _SCRIPTS, more)))
    return f"ACL SETUSER {name} reset on >PASSWORD {keys} {_KOMBU_KEYS} {_CHANNELS} -@all {rights}"
