"""Somebody who has the user of one agent in the broker, and does what it allows."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.events.event import get_exchange

from kit.deadlines import eventually
from kit.program.machine import Machine
from kit.services.fleet import Fleet, RedisServer, kill_tree
from kit.services.flower_page import Page
from producer.monitor.events import checked_event
from tasks.app import transport_options

SECRET = "s3cret-of-"


def users(fleet: Fleet, *devices: str) -> dict[str, str]:
    """User → URL, for the users that ``segfleet broker acl`` prints."""
    client = fleet.server.client()
    printed = fleet.host("operator").succeed("broker", "acl", *devices, "--manager", "m").stdout.decode()
    urls = {}
    for line in printed.splitlines():
        user = line.split()[2]
        client.execute_command(*line.replace(">PASSWORD", f">{SECRET}{user}").split())
        urls[user] = f"redis://{user}:{SECRET}{user}@127.0.0.1:{fleet.server.port}/0"
    return urls


def agent_host(fleet: Fleet, device: str, url: str) -> Machine:
    disk = fleet.folder / "disks" / device
    disk.mkdir(parents=True)
    return fleet.host(f"host-{device}", devices={device: disk}, url=url)


@pytest.mark.parametrize("script", ["while true do end", "return 1"])
def test_an_agents_user_runs_no_script_in_the_broker(fleet: Fleet, script: str) -> None:
    client = redis.Redis.from_url(users(fleet, "a")["agent-a"])
    for command in (("EVAL", script, 0), ("EVAL_RO", script, 0), ("SCRIPT", "LOAD", script), ("EVALSHA", "0" * 40, 0)):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command)


def test_keys_of_celerys_remote_control_stop_no_worker(fleet: Fleet) -> None:
    urls = users(fleet, "a", "b")
    # Whatever anybody may have put there.
    fleet.server.client().set("_kombu.binding.celery.pidbox", "x")
    fleet.agent(agent_host(fleet, "b", urls["agent-b"]), "b")
    assert [lease.device for lease in fleet.leases()] == ["b"]


def test_an_agent_with_the_user_of_another_device_ends_with_one_plain_line(fleet: Fleet) -> None:
    host = agent_host(fleet, "b", users(fleet, "a", "b")["agent-a"])
    done = host.run("worker", "b")
    assert done.exit_code == 1
    assert "does not let this user serve device b" in done.stderr
    assert "agent-b" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr


FORGED: list[Any] = [
    None,
    [],
    {"type": "worker-online"},
    {"type": "worker-online", "hostname": ["x"], "timestamp": 1, "utcoffset": 0, "clock": 1},
    {"type": "worker-heartbeat", "hostname": "a@h", "timestamp": "x", "utcoffset": 0, "clock": 1},
    {"type": "worker-heartbeat", "hostname": "a@h", "timestamp": 1, "utcoffset": 0, "clock": 2**70},
    {"type": "worker-heartbeat", "hostname": "a@h", "timestamp": 1, "utcoffset": {}, "clock": 1},
    {"type": "worker-heartbeat", "hostname": "a@h", "timestamp": 1, "utcoffset": 0, "clock": 1, "freq": "x"},
    {"type": "worker-heartbeat", "hostname": "<b>@h", "timestamp": 1, "utcoffset": 0, "clock": 1},
    {"type": "task-received", "hostname": "a@h", "timestamp": 1, "utcoffset": 0, "clock": 1, "uuid": {}},
    {
        "type": "task-succeeded",
        "hostname": "a@h",
        "timestamp": 1,
        "utcoffset": 0,
        "clock": 1,
        "uuid": "x",
        "runtime": [],
    },
    {"type": "x", "hostname": "a@h", "timestamp": 1, "utcoffset": 0, "clock": 1},
]


@pytest.mark.parametrize("event", FORGED, ids=lambda event: json.dumps(event)[:40])
def test_a_forged_event_is_none(event: Any) -> None:
    assert checked_event(event) is None


def test_an_event_keeps_only_what_is_known() -> None:
    event = {"type": "worker-online", "hostname": "a@h", "timestamp": 1.5, "utcoffset": -1, "clock": 1, "pid": 3}
    assert checked_event({**event, "loadavg": [{}], "heartbeats": "x", "root_id": []}) == event


def test_forged_events_leave_flower_as_it_is(fleet: Fleet) -> None:
    urls = users(fleet, "a", "b")
    page = Page(fleet.host("flower", url=urls["flower"]))
    fleet.agent(agent_host(fleet, "a", urls["agent-a"]), "a")
    eventually(lambda: b'"a@' in page.ask("/metrics", user=""), "Flower has heard of the agent")

    app = Celery("attack", broker=urls["agent-a"], set_as_current=False)
    app.conf.broker_transport_options = transport_options("attack", "device.a")
    with app.connection_for_write() as connection, connection.Producer() as producer:
        exchange = get_exchange(connection)
        for event in [*FORGED, FORGED]:
            for kind in ("worker.heartbeat", "task.multi"):
                producer.publish(event, exchange=exchange, declare=[exchange], routing_key=kind, serializer="json")
    raw = redis.Redis.from_url(urls["agent-a"])
    for text in ("x", "{}", "[" * 9999, json.dumps({"body": {"__type__": "decimal", "__value__": "x"}})):
        raw.publish("/0.celeryev/worker.heartbeat", text)
    app.close()

    fleet.agent(agent_host(fleet, "b", urls["agent-b"]), "b")
    eventually(lambda: b'"b@' in page.ask("/metrics", user=""), "Flower still hears of new agents")
    assert {page.status_of(path) for path in ("/", "/workers", "/tasks", "/api/tasks", "/metrics")} == {200}
    assert {task["worker"] for task in page.tasks()} == set()


def test_agents_end_although_the_broker_refuses_their_password(fleet: Fleet) -> None:
    agent = fleet.agent(agent_host(fleet, "a", fleet.server.url), "a", options=("--events",))
    broker: RedisServer = fleet.server
    client = broker.client()
    client.config_set("requirepass", "another")
    client.execute_command("AUTH", "another")
    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    eventually(lambda: not list(client.scan_iter("segfleet.lease.*")), "the agent is refused")

    agent.signal(signal.SIGTERM)

    eventually(lambda: agent.has_ended, "the agent has ended")
    assert agent.wait().exit_code == 0


def test_a_killed_agent_leaves_nothing_in_the_temporary_folder(fleet: Fleet, tmp_path: Path) -> None:
    agent = fleet.agent(agent_host(fleet, "a", fleet.server.url), "a", settings={"TMPDIR": str(tmp_path)})
    kill_tree(agent)
    assert os.listdir(tmp_path) == []
