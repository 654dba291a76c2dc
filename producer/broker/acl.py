"""Who may do what in the broker: Redis users for agents, managers, masters and Flower.

A worker needs its device's queue, its lease, and what kombu and Celery keep for themselves; it may put receipts into
the inboxes of managers, and do nothing else there.  It cannot read what others send, give orders to other devices,
command a manager or another worker, list keys, or change the server.

The rules in parentheses are selectors: each allows its own commands on its own keys, whatever the others allow.  They
need a Redis of version 7.0 or a Valkey.  Measured with ``redis-server`` 7.0; a test runs a backup under exactly these
users.
"""

from __future__ import annotations

from collections.abc import Iterable

from tasks.broker.watchers import WATCHED_KEY
from tasks.broker.writable import PROBE_KEY

#: The first commands of every connection of kombu, Celery and redis-py.
_CONNECT = "+ping +hello +auth +select +client|setname +client|id"

#: kombu's queues: lists, the unacknowledged messages in a hash and a sorted set, and the transactions around them.
_QUEUES = (
    "+brpop +rpop +lpush +rpush +llen +exists +del +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore +hset +hget "
    "+hdel +sadd +srem +smembers +set +get +time +multi +exec +watch +unwatch +discard +expire +pexpire"
)

#: The moving of orders is a script; it reaches no key that the user may not.  A script that never ends stops the server
#: for everybody, so only managers may load one, and Flower, whose bindings kombu sweeps with one.
_SCRIPTS = "+evalsha +script|load +script|exists"

#: Which queues are bound to which exchange: Flower alone has such.
_BINDINGS = "~_kombu.binding*"

#: The events that Flower reads.  The server compares subscribed patterns literally.
_EVENT_CHANNELS = "&/0.celeryev/*"
_EVENTS = f"({_EVENT_CHANNELS} +publish)"


def device_user(device: str) -> str:
    """The command that makes the user of one device's workers; the operator replaces ``PASSWORD``."""
    return _user(
        f"agent-{device}",
        f"~device.{device} ~unacked*.device.{device} ~segfleet.lease.{device}.* %R~segfleet.epoch.* %R~segfleet.sign.* "
        "%R~parcel.*",
        f"%R~{WATCHED_KEY}",
        more=f"(%W~manager.* +lpush) {_EVENTS}",
    )


def manager_user(name: str) -> str:
    """The command that makes a manager's user: the queues of all devices, its own inboxes, and no administration.

    It has the rights of a worker too, for a manager starts one for each device that has a folder on its host, and
    those of a master, for who sits at its host.
    """
    return _user(
        f"manager-{name}",
        f"~device.* ~unacked*.device.* ~manager.{name}.* ~unacked*.manager.{name}.* ~command.{name} "
        f"~unacked*.command.{name} ~master.* ~unacked*.master.*",
        f"%R~segfleet.* ~segfleet.lease.* ~segfleet.run.* ~segfleet.manager.{name} "
        f"~segfleet.epoch.manager.{name}.* ~segfleet.sign.manager.{name}.* ~parcel.* {_SCRIPTS}",
        "+scan +mget +lrange +lrem +ltrim +hgetall +hvals +client|list +client|unblock",
        more=_EVENTS,
    )


def master_user() -> str:
    """The command that makes the user of operators' command lines."""
    return _user("master", "~master.* ~unacked*.master.* %R~segfleet.*", "+scan +mget", more="(%W~command.* +lpush)")


def flower_user() -> str:
    """The command that makes Flower's user, who sees events and how long queues are; nobody hears what it publishes."""
    return _user(
        "flower",
        f"~{WATCHED_KEY} %R~device.* {_BINDINGS} {_SCRIPTS} ~*.reply.celery.pidbox ~celeryev.* ~unacked*.flower",
        f"&/0.celery.pidbox {_EVENT_CHANNELS} +publish +subscribe +unsubscribe +psubscribe +punsubscribe +info",
    )


def acl_commands(devices: Iterable[str], managers: Iterable[str]) -> list[str]:
    """All commands for a fleet, in the order in which the server needs them."""
    return [*map(device_user, devices), *map(manager_user, managers), master_user(), flower_user()]


def _user(name: str, *rules: str, more: str = "") -> str:
    return " ".join(
        filter(
            None,
            (f"ACL SETUSER {name} reset on >PASSWORD -@all", *rules, f"%W~{PROBE_KEY}", _CONNECT, _QUEUES, more),
        )
    )
