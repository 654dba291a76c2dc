"""The operator's page of a manager."""

from __future__ import annotations

import json
import signal

from kit.services.fleet import Fleet
from kit.services.operator_page import USER, Browser, free_port


def test_a_manager_serves_the_page_of_its_catalog_until_it_ends(fleet: Fleet) -> None:
    disk = fleet.folder / "disk"
    disk.mkdir()
    host = fleet.host("manager", devices={"a": disk}, sources={"data": fleet.folder / "disk"})
    fleet.agent(host, "a")
    port = free_port()
    manager = fleet.manager(host, "m", "--page", str(port), SEGFLEET_PAGE_AUTH=USER)
    browser = Browser(port)

    assert browser.ask("/healthz", user="").status == 200
    assert browser.ask("/", user="").status == 401
    assert "a@" in browser.ask("/").text
    assert json.loads(browser.ask("/api/status").text)["volumes"] == []
    assert 'segfleet_agents{device="a"} 1.0' in browser.ask("/metrics").text
    manager.signal(signal.SIGTERM)
    assert manager.wait().exit_code == 0
