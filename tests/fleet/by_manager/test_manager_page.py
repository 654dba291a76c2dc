"""What a manager shows of itself: the operator's page, and what systemd hears."""

from __future__ import annotations

import json
import re
import signal
import socket

from kit.services.fleet import Fleet
from kit.services.operator_page import USER, Browser, free_port


def test_a_manager_serves_the_page_of_its_catalog_and_tells_systemd_until_it_ends_as_an_agent_does(
    fleet: Fleet,
) -> None:
    disk = fleet.folder / "disk"
    disk.mkdir()
    host = fleet.host("manager", devices={"a": disk}, sources={"data": disk})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(fleet.folder / "of-agent"))
        systemd.settimeout(30)
        fleet.agent(host, "a", settings={"NOTIFY_SOCKET": str(fleet.folder / "of-agent")})
        said = [systemd.recv(100) for _ in range(3)]
        assert said == [b"READY=1", b"WATCHDOG=1\nSTATUS=serving a", b"WATCHDOG=1"]
    port, place = free_port(), str(fleet.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(place)
        systemd.settimeout(30)
        manager = fleet.manager(host, "m", "--page", str(port), SEGFLEET_PAGE_AUTH=USER, NOTIFY_SOCKET=place)
        browser = Browser(port)

        assert systemd.recv(100) == b"READY=1"
        assert systemd.recv(100) == b"WATCHDOG=1\nSTATUS=waiting for commands and schedules"
        assert browser.ask("/healthz", user="").status == 200
        assert browser.ask("/", user="").status == 401
        assert "a@" in browser.ask("/").text
        assert json.loads(browser.ask("/api/status").text)["volumes"] == []
        assert 'segfleet_agents{device="a"} 1.0' in browser.ask("/metrics").text
        manager.signal(signal.SIGTERM)
        assert manager.wait().exit_code == 0


def test_a_managers_page_offers_files_of_its_snapshots_where_that_is_wanted(fleet: Fleet) -> None:
    disk, source = fleet.folder / "disk", fleet.folder / "data"
    for folder in (disk, source):
        folder.mkdir()
    (source / "letter.txt").write_text("dear reader")
    host = fleet.host("manager", devices={"a": disk}, sources={"data": source})
    fleet.agent(host, "a")
    port = free_port()
    fleet.manager(host, "m", "--page", str(port), "--downloads", SEGFLEET_PAGE_AUTH=USER)
    host.succeed("backup", "data")

    browser = Browser(port)
    shown = browser.ask("/browse?snapshot=latest&path=data").text
    (link,) = re.findall(r'href="(/download[^"]+)"', shown)
    answer = browser.ask(link.replace("&amp;", "&"))

    assert (answer.status, answer.text) == (200, "dear reader")
    (log,) = re.findall(r'href="(/log[^"]+)"', browser.ask("/").text)[:1]
    assert "Log of a " in browser.ask(log).text
