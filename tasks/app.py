"""The Celery application: one for producer and workers, so that their settings cannot differ.

As a broker, Redis loses a message when a consumer dies between taking and recording it, and repeats messages after
restarts.  The catalog is the truth, so the settings below aim at "rarely lost, often repeated", not at "exactly once".
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

import kombu.transport.redis
import redis.utils
from celery import Celery
from celery.app.amqp import AMQP
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError

from tasks.broker.connections import RECONNECT_S, TRANSPORT_LIMITS, verified
from tasks.broker.door import open_unacknowledged
from tasks.broker.queues import unacked_keys
from tasks.errors import MessageError

# redis-py tells the server its release, and reads the metadata of its package for each connection: 5 ms.
redis.utils.get_lib_version = cache(redis.utils.get_lib_version)

#: What a broken or restarting broker raises, depending on which layer notices first.
BROKEN = (OSError, redis.RedisError, KombuError)

#: What kombu raises for something in a queue that is not one of its messages.
NO_MESSAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class _Connection(Connection):  # type: ignore[misc]
    """kombu would wait longer and longer for a broker that is away, up to half a minute."""

    def _ensure_connection(self, *args: Any, interval_max: float = RECONNECT_S, **kwargs: Any) -> Any:
        return super()._ensure_connection(*args, interval_max=interval_max, **kwargs)


class TakenOrders(kombu.transport.redis.QoS):  # type: ignore[misc]
    """What a process took from a queue and has not acknowledged.

    Puts no message back into its queue because it was taken long ago.  The manager takes back what a dead worker held,
    within seconds.  kombu's sweeps are under a lock in the broker, for which each worker would need the right to run
    scripts there.
    """

    def restore_visible(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its queue, through the door; one that is not segfleet's is dropped."""

        def restore(pipe: Any) -> None:
            raw = pipe.hget(self.unacked_key, tag)
            pipe.multi()
            self._remove_from_indices(tag, pipe)
            if raw:
                with contextlib.suppress(MessageError):
                    message, _ = open_unacknowledged(raw)
                    where = message["properties"]["delivery_info"]
                    self.channel._do_restore_message(message, where["exchange"], where["routing_key"], pipe, leftmost)

        with self.channel.conn_or_acquire(client) as connected:
            connected.transaction(restore, self.unacked_key)


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection

    def leave_broker(self) -> None:
        """Publish through new connections from now on; Celery keeps the first ones for ever."""
        self._producer_pool = None


app = Celery("segfleet", amqp=_Amqp, include=["tasks.definitions"])

app.conf.update(
    # Acknowledge after the work: the message of a killed worker stays among the unacknowledged ones.
    task_acks_late=True,
    # If the pool's child dies, the message goes back to the queue at once.
    task_reject_on_worker_lost=True,
    # Workers take one order at a time: the others stay in the queue and can be moved.
    worker_prefetch_multiplier=1,
    worker_concurrency=1,
    # Receipts go to the manager's queue; no results are kept elsewhere.
    task_ignore_result=True,
    result_backend=None,
    # JSON only: a message can name values, never code.
    accept_content=["json"],
    task_serializer="json",
    event_serializer="json",
    result_accept_content=["json"],
    # A mistyped queue name fails; it does not create a queue.
    task_create_missing_queues=False,
    # None waits for the broker forever; the default ends the worker after 100 tries.
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    # True would leave the current order's message stuck until the visibility timeout.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # For RabbitMQ only; the question costs a round trip at start.
    worker_detect_quorum_queues=False,
    worker_hijack_root_logger=False,
    # A process has few publishers; each costs a connection.
    broker_pool_limit=4,
    task_publish_retry_policy={"max_retries": 10, "interval_start": 0.1, "interval_step": 0.3, "interval_max": 2.0},
    # Nobody but the manager of an order tells a worker what to do, and that by the order.
    worker_enable_remote_control=False,
    # Events cost a quarter of the message rate; workers.process.events turns them on.
    worker_send_task_events=False,
    task_send_sent_event=False,
)


def transport_options(client_name: str, inbox: str) -> dict[str, Any]:
    """Options of kombu's Redis transport for a process that takes messages only from the queue ``inbox``.

    ``client_name`` appears in the server's list of clients.
    """
    unacked = unacked_keys(inbox)
    return {
        "unacked_key": unacked.messages,
        "unacked_index_key": unacked.times,
        "unacked_mutex_key": unacked.mutex,
        # One list per queue, not four.
        "priority_steps": [0],
        "client_name": client_name,
        **TRANSPORT_LIMITS,
        # retry_on_timeout stays unset: it would turn off batch publishing.
    }


def connect(url: str, client_name: str, inbox: str) -> Celery:
    """Point the application at the broker.  Opens no connection yet; call before the first use."""
    kombu.transport.redis.Channel.QoS = TakenOrders
    app.conf.broker_url = verified(url)
    app.conf.broker_transport_options = transport_options(client_name, inbox)
    # An earlier run of this process may have had another broker.
    app.amqp.leave_broker()
    return app


def queue(name: str) -> Queue:
    """The queue ``name`` on the default exchange, whose routing key is the queue's name itself."""
    return Queue(name, Exchange(""), routing_key=name, no_declare=True)
