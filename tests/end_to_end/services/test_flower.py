"""Flower in front of a real backup, by its interface and in a real browser."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.needs import program
from kit.program.command import Running
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.services.flower_page import USER, Page

HOST = socket.gethostname()


@pytest.fixture(scope="module")
def seen() -> Iterator[tuple[Machine, Page, Running]]:
    """A page that has seen the first orders of a backup, which goes on."""
    with new_machine() as machine:
        machine.devices("a b")
        source = machine.folder / "photos"
        source.mkdir()
        for number in range(40):
            (source / f"IMG_{number:04}.raw").write_bytes(os.urandom(8 << 20))
        (machine.folder / "segfleet.toml").write_text(
            "".join(f'[devices.{name}]\npath = "{machine.device(name)}"\nmax-rate = "4MiB"\n' for name in ("a", "b"))
        )
        page = Page(machine)
        backup = machine.start("backup", source, "--json", "--level=-7", "--segment-size=16MiB", SEGFLEET_EVENTS="1")
        eventually(lambda: page.storers() == {f"{device}@{HOST}" for device in "ab"}, "each worker is seen to store")
        yield machine, page, backup


def test_orders_tell_what_they_are_about_and_workers_are_called_device_at_host(
    seen: tuple[Machine, Page, Running],
) -> None:
    tasks = [task for task in seen[1].tasks() if task["name"] == "segfleet.store"]
    assert all(task["worker"] in {f"{device}@{HOST}" for device in "ab"} for task in tasks)
    for task in tasks:
        segment, _, what = task["kwargs"].partition(": ")
        assert segment.startswith("segment ")
        assert what.startswith("photos/IMG_")
        assert what.endswith(" bytes")


def test_prometheus_finds_the_orders_by_their_names(seen: tuple[Machine, Page, Running]) -> None:
    metrics = seen[1].ask("/metrics", user="").decode()
    for device in "ab":
        worker = f"{device}@{HOST}"
        assert f'flower_events_total{{task="segfleet.store",type="task-succeeded",worker="{worker}"}}' in metrics
        assert f'flower_worker_online{{worker="{worker}"}} 1.0' in metrics


@pytest.mark.parametrize("user", ["", "operator:wrong"])
def test_nobody_looks_without_the_password(seen: tuple[Machine, Page, Running], user: str) -> None:
    assert {seen[1].status_of(path, user=user) for path in ("/", "/tasks", "/api/tasks", "/api/workers")} == {401}


def test_nobody_changes_anything(seen: tuple[Machine, Page, Running]) -> None:
    _, page, _ = seen
    worker = f"a@{HOST}"
    for path in (f"/api/worker/shutdown/{worker}", "/api/task/send-task/segfleet.store", "/api/task/revoke/1"):
        assert page.status_of(path, data=b"{}") == 403


def test_it_listens_on_loopback_and_shows_no_password_in_its_arguments(seen: tuple[Machine, Page, Running]) -> None:
    _, page, _ = seen
    arguments = Path(f"/proc/{page.command.pid}/cmdline").read_bytes()
    assert b"hunter2" not in arguments
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if f":{page.port:04X}" in line
    ]
    assert f"0100007F:{page.port:04X}" in listening
    assert f"00000000:{page.port:04X}" not in listening


def test_a_browser_shows_the_orders(seen: tuple[Machine, Page, Running], tmp_path: Path) -> None:
    browser = program("chromium")
    url = f"http://{USER}@127.0.0.1:{seen[1].port}/tasks"
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1900,720"]
    picture = tmp_path / "tasks.png"
    common = [browser, *options, f"--user-data-dir={tmp_path}/browser", "--virtual-time-budget=20000"]
    shown = subprocess.run([*common, "--dump-dom", url], capture_output=True, timeout=120, check=True).stdout.decode()
    subprocess.run([*common, f"--screenshot={picture}", url], capture_output=True, timeout=120, check=True)

    assert "segfleet.store" in shown
    assert "photos/IMG_" in shown
    assert f"a@{HOST}" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_it_ends_with_a_signal_although_the_broker_is_gone(machine: Machine) -> None:
    page = Page(machine)
    for process in machine.processes():
        with contextlib.suppress(OSError):
            if "valkey-server" in process.name() or "redis-server" in process.name():
                process.kill()
    page.command.signal(signal.SIGTERM)
    assert page.command.wait().exit_code == 0


def test_without_a_password_it_does_not_start(machine: Machine) -> None:
    for value in ("", "operator", ":x", "operator:", "operator:x,"):
        refused = machine.run("flower", FLOWER_BASIC_AUTH=value)
        assert refused.exit_code == 2
        assert "FLOWER_BASIC_AUTH=user:password" in refused.stderr


def test_a_port_that_is_taken_is_named(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = machine.run("flower", "--port", str(port), FLOWER_BASIC_AUTH=USER)
    assert refused.exit_code == 2
    assert f"127.0.0.1:{port}" in refused.stderr
