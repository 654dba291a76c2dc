"""Anyone who may write into a manager's command queue sends it what no honest master would."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from redis import Redis

from kit.deadlines import eventually
from kit.services.fleet import Fleet, kill_tree
from kit.services.site import Site
from kit.tree import Tree, noise

QUEUE = "command.m"


def asked(command: str, ask: Any, **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "run_id": uuid.uuid4().hex,
        "nonce": uuid.uuid4().hex,
        "command": command,
        "ask": ask,
        "json": True,
        "detached": False,
        "reply_to": "master." + uuid.uuid4().hex,
        "expires_s": 2**40,
        **changes,
    }


def send(client: Redis, message: Any) -> None:
    client.lpush(QUEUE, message if isinstance(message, bytes) else json.dumps(message).encode())


def test_a_manager_outlives_every_message_and_then_still_backs_up(fleet: Fleet) -> None:
    site = Site(fleet, tree=Tree({"a": noise(1000)}))
    client = fleet.server.client()
    hostile: list[Any] = [
        b"\x80\x04\x95",
        b"[" * 1_000_000,
        b'{"a": ' * 50_000,
        b'{"version": 1e999}',
        json.dumps({"__type__": "decimal", "__value__": "1e999999999"}).encode(),
        *(asked(command, {}) for command in ("worker", "manager", "\ud800", "a\nb", "x" * 100_000)),
        asked("backup", {"sources": ["\ud800"]}),
        asked("backup", {"sources": ["data\nforged: line"]}),
        asked("find", {"pattern": "\udcff"}),
        asked("ls", {"snapshot": "latest", "path": "\udcff/\udcfe"}),
        # More than the arguments of one process may hold.
        asked("plan", {"sources": ["data"], "exclude": ["y" * 4000] * 1000}),
        asked("backup", {"sources": ["data"], "tag": [{"__type__": "datetime"}]}),
        asked("backup", [["sources", "data"]]),
        asked("stop", {"run_id": "0" * 32}),
        asked("restore", {"snapshot": "latest", "target": "../../tmp"}),
        {**asked("status", {}), "columns": 10**400},
    ]

    for message in hostile:
        send(client, message)
    eventually(lambda: client.llen(QUEUE) == 0, "the manager has read them all")

    done = site.master.succeed("backup", "data", "--json")
    assert done.summary["files"] == 1


def test_bytes_of_a_name_that_are_not_utf_8_travel_to_a_manager_and_back(fleet: Fleet) -> None:
    site = Site(fleet, tree=Tree({b"d/\xff": noise(1000)}))
    site.master.succeed("backup", "data")

    found = site.master.succeed("dump", "latest", os.fsdecode(b"data/d/\xff"))

    assert found.stdout


def test_a_command_that_cannot_be_carried_out_is_set_aside_and_the_manager_starts(fleet: Fleet) -> None:
    site = Site(fleet, tree=Tree({"a": noise(1000)}))
    kill_tree(site.manager)
    ledger = next(site.host.folder.rglob("managers/m"))
    (ledger / f"{'0' * 32}.json").write_bytes(b'{"version": 1, "words": "\\ud800"}')
    (ledger / f"{'1' * 32}.json").write_bytes(b"\xff" * 100)

    again = fleet.manager(site.host, "m")
    try:
        assert site.master.succeed("backup", "data", "--json").summary["files"] == 1
        assert sorted(path.suffix for path in ledger.iterdir()) == [".refused", ".refused"]
    finally:
        kill_tree(again)


def test_a_reply_without_the_nonce_of_the_question_is_not_believed(fleet: Fleet) -> None:
    site = Site(fleet, tree=Tree({"a": noise(1000)}))
    client = fleet.server.client()
    presence = client.get("segfleet.manager.m") or b""
    kill_tree(site.manager)
    # The name is kept alive, so that the master asks; the enemy knows run and inbox, but not the nonce.
    running = site.master.start("backup", "data", "--manager", "m", "--json")

    def forged() -> bool:
        client.set("segfleet.manager.m", presence)
        message = json.loads(client.lindex(QUEUE, 0) or b"{}")
        if not message:
            return False
        for kind in ("accepted", "end"):
            reply = {"version": 1, "run_id": message["run_id"], "nonce": "0" * 32, "kind": kind, "exit_code": 0}
            client.lpush(message["reply_to"], json.dumps(reply))
        return True

    eventually(forged, "two replies are forged")
    assert running.wait().exit_code != 0
