"""The operator's page over HTTP, in front of a real catalog."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.models.rows import T0, begin, device_row, lock, plan, record_run, reserve, store
from kit.services.operator_page import Browser, served_page
from producer.catalog.catalog import Catalog
from producer.catalog.tables.checks import VolumeCheck
from producer.catalog.tables.devices import DeviceRow
from producer.cli.main import run
from producer.monitor.fleet import FleetStatus

HOSTILE = '<script>alert("1")</script>\n\u202e \udcff'
PLACES = ["/", "/api/status", "/metrics"]


def device(name: str, state: str) -> DeviceRow:
    return device_row(name, state=state, reason="<b>I/O error</b>" if state == "dead" else "", epoch=1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume that is well, one with a hostile name that is being backed up, and a dead device."""
    path = tmp_path_factory.mktemp("state") / "catalog.sqlite"
    with Catalog(path) as opened:
        for name, state in (("a", "live"), ("b", "dead")):
            opened.devices.record(device(name, state))
        opened.snapshots.seal(begin(opened, "home"), datetime.now(UTC), b"h" * 32)
        record_run(opened, "home", exit_code=None, started_at=datetime.now(UTC) - timedelta(hours=1))
        opened.runs.end(opened.runs.all()[0].run_id, 0, {"at_risk": {"b": {"files": 1200, "bytes": 3 << 20}}})
        now = datetime.now(UTC)
        checked = VolumeCheck(
            volume="home", read_data=True, checked_at=now - timedelta(hours=5), snapshots_count=1, damaged_count=0
        )
        opened.checks.record(checked)
        record_run(opened, "", exit_code=0, kind="check", started_at=datetime.now(UTC))
        reserve(opened, "home", (datetime.now(UTC) - T0).days + 1)
        lock(opened, HOSTILE)
        record_run(opened, HOSTILE, exit_code=None)
        snapshot_id = begin(opened, HOSTILE, 1)
        plan(opened, snapshot_id, 4)
        store(opened, snapshot_id, 0)
    return path


@pytest.fixture(scope="module")
def browser(file: Path) -> Iterator[Browser]:
    with served_page(file) as found:
        yield found


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("user", ["", "operator:", "operator:wrong", "nobody:hunter2", ":"])
def test_nobody_looks_without_the_password(browser: Browser, path: str, user: str) -> None:
    answer = browser.ask(path, user=user)
    assert (answer.status, answer.text) == (401, "401 Unauthorized\n")
    assert answer.headers["Www-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(browser: Browser, method: str) -> None:
    assert browser.ask("/", method=method).status == 405


@pytest.mark.parametrize("path", [*PLACES, "/healthz", "/missing", "/../etc/passwd"])
def test_every_answer_has_the_headers_that_keep_others_out(browser: Browser, path: str) -> None:
    headers = browser.ask(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_the_policy_allows_the_style_of_the_page_and_nothing_else_is_needed(browser: Browser) -> None:
    answer = browser.ask("/")
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r'<script|<link|<img|\sstyle="|\son\w+="', answer.text)


def test_hostile_names_are_text(browser: Browser) -> None:
    text = browser.ask("/").text
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\\n\\342\\200\\256 \\377" in text
    assert "&lt;b&gt;I/O error&lt;/b&gt;" in text
    assert "\u202e" not in text


def test_the_page_shows_the_verdict_the_run_the_volumes_and_the_devices(browser: Browser) -> None:
    text = browser.ask("/").text
    assert "Device b has been dead for " in text
    assert "25 %" in text
    for name in ("problems", "running", "volumes", "devices", "history"):
        assert f'<section id="{name}">' in text
    assert text.count("in a terminal: <code>segfleet ") == 5


def test_the_status_is_there_as_json(browser: Browser) -> None:
    answer = browser.ask("/api/status")
    status = json.loads(answer.text)
    assert (answer.headers["Content-Type"], status["verdict"]) == ("application/json", "red")
    assert {row["name"]: row["state"] for row in status["devices"]} == {"a": "live", "b": "dead"}
    assert [row["volume"] for row in status["running"]] == ['<script>alert("1")</script>\\n\\342\\200\\256 \\377']
    assert (status["running"][0]["bytes_done"], status["running"][0]["bytes_total"]) == (100, 400)


def test_health_is_503_while_the_verdict_is_red_and_needs_no_password(browser: Browser, tmp_path: Path) -> None:
    answer = browser.ask("/healthz", user="")
    assert (answer.status, answer.text) == (503, "red\n")
    with served_page(tmp_path / "empty.sqlite") as well:
        answer = well.ask("/healthz", user="")
    assert (answer.status, answer.text) == (200, "yellow\n")


def test_metrics_are_those_of_the_command(browser: Browser) -> None:
    answer = browser.ask("/metrics")
    assert 'segfleet_build_info{version="1.2.3"} 1.0' in answer.text
    assert 'segfleet_device_state{device="b",state="dead"} 1.0' in answer.text


def test_what_is_not_there_is_not_found(browser: Browser) -> None:
    assert browser.ask("/missing").status == 404


def test_a_head_request_has_no_body(browser: Browser) -> None:
    answer = browser.ask("/", method="HEAD")
    assert (answer.status, answer.text) == (200, "")


def test_a_catalog_that_does_not_answer_is_503_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"no catalog" * 1000)
    with served_page(tmp_path / "catalog.sqlite") as browser:
        answer = browser.ask("/")
    assert answer.status == 503
    assert "catalog.sqlite" in answer.text


def test_agents_are_shown_with_a_broker_and_so_is_its_silence(file: Path) -> None:
    with served_page(file, FleetStatus(is_broker_up=False)) as browser:
        assert "The broker does not answer." in browser.ask("/").text


def test_an_empty_catalog_has_a_page_too(tmp_path: Path) -> None:
    with served_page(tmp_path / "catalog.sqlite") as browser:
        text = browser.ask("/").text
    assert "Nothing has been backed up yet." in text
    assert "There are no runs yet." in text


def test_status_writes_the_same_page_into_a_file_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    page = tmp_path / "page.html"
    assert run(["status", "--html", str(page)]) == 0
    text = page.read_text()
    assert '<meta http-equiv="Content-Security-Policy" content="default-src &#x27;none&#x27;;' in text
    assert "refresh" not in text
    assert page.stat().st_mode & 0o777 == 0o600


def test_the_page_needs_a_user_and_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for value in ("", "operator", ":x", "operator:", "operator:x,"):
        monkeypatch.setenv("SEGFLEET_PAGE_AUTH", value)
        assert run(["page"]) == 2
        assert "SEGFLEET_PAGE_AUTH=user:password" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("SEGFLEET_PAGE_AUTH", "operator:hunter2")
    assert run(["page", "--port", str(browser.port)]) == 2
    assert f"cannot listen on 127.0.0.1:{browser.port}: Address already in use" in capsys.readouterr().err


def test_the_page_says_what_would_be_lost_with_a_device(browser: Browser) -> None:
    page = browser.ask("/").text
    assert re.findall(r'data-label="would be lost">([^<]*)<', page) == ["nothing", "1,200 files, 3 MiB"]
    devices = json.loads(browser.ask("/api/status").text)["devices"]
    assert [(row["name"], row["files_at_risk"]) for row in devices] == [("a", 0), ("b", 1200)]


def test_the_page_says_when_volumes_and_devices_were_checked(browser: Browser) -> None:
    text = browser.ask("/").text
    assert '<td data-label="checked">5 h ago, all read</td>' in text
    # What the one segment lies on was never looked at.
    assert '<td data-label="checked">never</td>' in text
    status = json.loads(browser.ask("/api/status").text)
    assert {row["volume"]: row["last_check"] is not None for row in status["volumes"]}["home"]


def test_a_run_leads_to_its_log_and_to_no_other_file(browser: Browser, file: Path) -> None:
    (file.parent / "logs").mkdir()
    (link, *_) = re.findall(r'href="(/log[^"]*)"', browser.ask("/").text)
    assert "This host has no log of it" in browser.ask(link).text
    (file.parent / "logs" / f"{link.partition('=')[2]}.log").write_text(
        "10:00 began\n10:01 <b>home/x</b>: unreadable\n"
    )

    assert "<pre>10:00 began\n10:01 &lt;b&gt;home/x&lt;/b&gt;: unreadable</pre>" in browser.ask(link).text
    assert [browser.ask(f"/log?run={name}").status for name in ("", "../catalog.sqlite", "0" * 32)] == [404] * 3
    assert browser.ask(link, user="").status == 401
