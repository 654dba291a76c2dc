"""Rights in the broker, certificates, and where passwords must not appear."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis
from celery import Celery

from kit.compare import differences
from kit.deadlines import DEADLINE_S, eventually
from kit.needs import program
from kit.program.forking.forked import EXECUTED
from kit.program.machine import Machine
from kit.services.fleet import PASSWORD, Fleet, RedisServer
from kit.tree import Tree, noise
from producer.manager.presence import managers
from tasks.app import transport_options
from tasks.broker.watchers import tell_watched

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")
SECRET = "s3cret-of-"


def source_of(fleet: Fleet) -> Path:
    return Tree({f"{n:02}": noise(100_000, seed=n) for n in range(10)}).make(fleet.folder / "data")


def agent_host(fleet: Fleet, device: str, url: str) -> Machine:
    disk = fleet.folder / "disks" / device
    disk.mkdir(parents=True)
    return fleet.host(
        f"host-{device}",
        devices={device: disk},
        sources={"data": fleet.folder / "data"},
        targets={"back": fleet.folder / "back"},
        url=url,
    )


def with_rights(fleet: Fleet) -> Callable[[str], str]:
    """Make the users that ``segfleet broker acl`` prints; returns user → URL."""
    client = fleet.server.client()
    printed = fleet.host("operator").succeed("broker", "acl", "a", "b", "--manager", "m").stdout.decode()
    for line in printed.splitlines():
        user = line.split()[2]
        client.execute_command(*line.replace(">PASSWORD", f">{SECRET}{user}").split())
    client.execute_command("ACL LOG RESET")
    return lambda user: f"redis://{user}:{SECRET}{user}@127.0.0.1:{fleet.server.port}/0"


def test_a_backup_and_a_restore_need_exactly_these_rights(fleet: Fleet) -> None:
    source, url_of = source_of(fleet), with_rights(fleet)
    for device in ("a", "b"):
        # Executed: what is forked has another command line.
        fleet.agent(agent_host(fleet, device, url_of(f"agent-{device}")), device, settings=EXECUTED)
    master = fleet.host("master", url=url_of("master"))
    early = master.run("devices", "--device=a=/mnt/a")
    assert (early.exit_code, "and no manager does it for this host" in early.stderr) == (1, True), early
    fleet.server.client().acl_log_reset()
    # A device of its own too, for which it starts a worker.
    disk = fleet.folder / "disks" / "c"
    disk.mkdir()
    manager = fleet.host(
        "manager",
        devices={"a": None, "b": None, "c": disk},
        sources={"data": source},
        targets={"back": fleet.folder / "back"},
        url=url_of("manager-m"),
    ).start("manager", "m")
    eventually(lambda: "m" in managers(fleet.server.client()), "manager m is there")

    done = master.succeed("backup", "data", *SMALL, "--json")
    restored = master.succeed("restore", "latest", "--target", "back", "--manager", "m")
    master.succeed("status")
    master.succeed("schedule", "add", "data", "--cron=0 2 * * *")
    dumped = master.succeed("dump", "latest", "data/00").stdout
    seen = look_as_flower(url_of("flower"))

    assert dumped == (source / "00").read_bytes()
    assert {name.partition("@")[0] for name in seen} == {"a", "b"}
    assert differences(source, fleet.folder / "back" / "data") == []
    assert [row["reason"] for row in fleet.server.client().acl_log()] == []
    said = [manager.stderr, done.stderr, done.stdout.decode(), restored.stderr]
    assert_no_secret(fleet, said)


def look_as_flower(url: str) -> set[str]:
    """The workers that send events while somebody looks."""
    app = Celery("test", broker=url, set_as_current=False)
    app.conf.broker_transport_options = transport_options("test", "flower")
    tell_watched(redis.Redis.from_url(url))
    heard: set[str] = set()

    def hear(event: dict[str, str]) -> None:
        heard.add(event["hostname"])
        receiver.should_stop = len(heard) == 2

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": hear})
        receiver.capture(timeout=DEADLINE_S)
    app.close()
    return heard


def assert_no_secret(fleet: Fleet, said: list[str]) -> None:
    """No password in anything that was printed, in any file but the configurations, or in any process's arguments."""
    secrets = (SECRET, PASSWORD)
    broker = fleet.server.client()
    values = [broker.dump(key) or b"" for key in broker.scan_iter()]
    said += [value.decode(errors="replace") for value in values]
    said += [line for line in map(command_line, psutil.process_iter()) if "producer" in line or "workers" in line]
    files = [path for path in fleet.folder.rglob("*") if path.is_file() and path.name != "segfleet.toml"]
    said += [path.read_bytes().decode(errors="replace") for path in files if "redis" not in path.parts]
    assert [text[:200] for text in said if any(secret in text for secret in secrets)] == []
    assert len(said) > 20


def command_line(process: psutil.Process) -> str:
    """Empty when the process has ended meanwhile: those of other tests come and go."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.parametrize(
    "command",
    [
        ("LPUSH", "device.b", "x"),
        ("BRPOP", "device.b", 1),
        ("LPUSH", "command.m", "x"),
        ("BRPOP", "command.m", 1),
        ("LPUSH", "master." + "0" * 32, "x"),
        ("RPOP", "manager.m.0a"),
        ("LLEN", "manager.m.0a"),
        ("DEL", "manager.m.0a"),
        ("SET", "manager.m.0a", "x"),
        ("RPUSH", "manager.m.0a", "x"),
        ("HGET", "unacked.device.b", "tag"),
        ("HDEL", "unacked.device.b", "tag"),
        ("ZREM", "unacked_index.device.b", "tag"),
        ("HGET", "unacked", "tag"),
        ("PUBLISH", "/0.celery.pidbox", "x"),
        ("LPUSH", "b@host.celery.pidbox", "x"),
        ("SUBSCRIBE", "/0.celeryev/worker.heartbeat"),
        ("SUBSCRIBE", "/0.celery.pidbox"),
        ("SET", "_kombu.binding.celery.pidbox", "x"),
        ("SADD", "_kombu.binding.celeryev", "x"),
        ("SET", "segfleet.flower", "x"),
        ("SCRIPT", "LOAD", "while true do end"),
        ("EVALSHA", "0" * 40, 0),
        ("FCALL", "f", 0),
        ("SET", "segfleet.lease.b.b@host", "x"),
        ("SET", "segfleet.epoch.manager.m.x", "9"),
        ("SET", "segfleet.sign.manager.m.0a", "0"),
        ("SET", "segfleet.manager.m", "x"),
        ("SET", "parcel." + "0" * 64, "x"),
        ("DEL", "segfleet.run.x"),
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "requirepass"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("EVAL", "return redis.call('LPUSH', 'device.b', 'x')", 0),
    ],
    ids=lambda command: " ".join(map(str, command))[:40],
)
def test_an_agents_user_is_refused_what_is_not_its_own(fleet: Fleet, command: tuple[object, ...]) -> None:
    assert_refused(with_rights(fleet)("agent-a"), command)


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("manager-m", ("BRPOP", "command.other", 1)),
        ("manager-m", ("LPUSH", "command.other", "x")),
        ("manager-m", ("BRPOP", "manager.other.0a", 1)),
        ("manager-m", ("SET", "segfleet.manager.other", "x")),
        ("manager-m", ("SET", "segfleet.epoch.manager.other.0a.x", "9")),
        ("manager-m", ("SET", "segfleet.sign.manager.other.0a", "0")),
        ("manager-m", ("PUBLISH", "/0.celery.pidbox", "x")),
        ("manager-m", ("CONFIG", "GET", "*")),
        ("master", ("BRPOP", "command.m", 1)),
        ("master", ("LPUSH", "device.a", "x")),
        ("master", ("LPUSH", "manager.m.0a", "x")),
        ("master", ("SET", "segfleet.manager.m", "x")),
        ("master", ("SET", "segfleet.sign.manager.m.0a", "0")),
        ("master", ("GET", "parcel." + "0" * 64)),
        ("master", ("PUBLISH", "/0.celery.pidbox", "x")),
        ("flower", ("LPUSH", "device.a", "x")),
        ("flower", ("LPUSH", "command.m", "x")),
        ("flower", ("GET", "segfleet.manager.m")),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, tuple) else value,
)
def test_managers_masters_and_flower_are_refused_what_is_not_theirs(
    fleet: Fleet, user: str, command: tuple[object, ...]
) -> None:
    assert_refused(with_rights(fleet)(user), command)


def assert_refused(url: str, command: tuple[object, ...]) -> None:
    client = redis.Redis.from_url(url)

    with pytest.raises(redis.ResponseError, match=r"(?i)no permission|NOPERM|can't access|ACL failure"):
        client.execute_command(*command)


def test_an_agent_may_put_a_receipt_into_any_managers_inbox(fleet: Fleet) -> None:
    client = redis.Redis.from_url(with_rights(fleet)("agent-a"))

    assert client.lpush("manager.m.0a", "x") == 1


def test_a_wrong_password_is_told_without_it_by_agent_manager_and_master(fleet: Fleet) -> None:
    source_of(fleet)
    url = f"redis://:wrong-{SECRET}@127.0.0.1:{fleet.server.port}/0"
    host = agent_host(fleet, "a", url)

    for command in (("worker", "a"), ("manager", "m"), ("backup", "data"), ("status",)):
        done = host.run(*command)
        assert done.exit_code == 1, done
        assert "127.0.0.1" in done.stderr
        assert SECRET not in done.stderr


def test_a_broker_without_a_password_is_warned_of(fleet: Fleet) -> None:
    source_of(fleet)
    host = agent_host(fleet, "a", f"redis://127.0.0.1:{fleet.server.port}/0")
    fleet.server.client().execute_command("CONFIG", "SET", "requirepass", "")

    done = host.run("backup", "data")

    assert done.exit_code == 0, done
    assert "has no password" in done.stderr


def test_a_backup_over_tls_with_certificates_on_both_sides(fleet: Fleet) -> None:
    source = source_of(fleet)
    keys = certificates(fleet.folder / "keys")
    server = RedisServer(
        fleet.folder / "tls",
        *("--tls-cert-file", str(keys / "server.crt"), "--tls-key-file", str(keys / "server.key")),
        *("--tls-ca-cert-file", str(keys / "ca.crt"), "--tls-auth-clients", "yes"),
        scheme="rediss",
    )
    try:
        checks = f"ssl_cert_reqs=required&ssl_ca_certs={keys}/ca.crt"
        url = f"{server.url}?{checks}&ssl_certfile={keys}/client.crt&ssl_keyfile={keys}/client.key"
        host = agent_host(fleet, "a", url)
        agent = host.start("worker", "a")
        client = redis.Redis.from_url(url)
        eventually(lambda: list(client.scan_iter("segfleet.lease.a.*")), f"agent a is there: {agent.stderr}")

        host.succeed("backup", "data", *SMALL)
        host.succeed("restore", "latest", "--target", "back")
        stranger = fleet.host("stranger", sources={"data": source}, url=f"{server.url}?{checks}").run("status")

        assert differences(source, fleet.folder / "back" / "data") == []
        assert stranger.exit_code == 1
    finally:
        server.end()


#: Python 3.13 refuses an authority that does not say what its key is for.
_AUTHORITY = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")


def certificates(folder: Path) -> Path:
    """An authority, and certificates of it for the server on 127.0.0.1 and for a client."""
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run([program("openssl"), *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests", *_AUTHORITY)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-out", f"{name}.crt", "-extfile", "names"),
        )
    return folder
