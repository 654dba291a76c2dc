"""The alert rules and the dashboard, as Prometheus itself judges them."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.models.rows import T0, begin, device_row, lock, plan, record_run, reserve, store
from kit.needs import program
from kit.repository import REPOSITORY
from producer.catalog.catalog import Catalog
from producer.monitor.fleet import FleetStatus
from producer.monitor.metrics.metrics import metrics_text
from producer.monitor.survey import survey
from tasks.broker.leases import Lease

FOLDER = REPOSITORY / "docs/monitoring"


def promtool(*arguments: str, given: bytes = b"") -> str:
    command = [program("promtool"), *arguments]
    done = subprocess.run(command, input=given, cwd=FOLDER, capture_output=True, timeout=60, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Every metric that there is."""
    with Catalog(tmp_path_factory.mktemp("state") / "catalog.sqlite") as catalog:
        catalog.devices.record(device_row(epoch=1))
        catalog.snapshots.seal(begin(catalog, "home"), T0, b"h" * 32)
        summary = {"errors": 0, "bytes_read": 1, "bytes_stored": 1, "segments_rerouted": 0, "at_risk": {}}
        record_run(catalog, "home", exit_code=None)
        catalog.runs.end(catalog.runs.all()[0].run_id, 0, summary)
        record_run(catalog, "", exit_code=0, kind="check")
        reserve(catalog, "home", 1)
        lock(catalog, "home")
        record_run(catalog, "home", exit_code=None, started_at=datetime.now(UTC))
        snapshot_id = begin(catalog, "home", 1)
        plan(catalog, snapshot_id, 2)
        store(catalog, snapshot_id, 0)
        lease = Lease(device="a", worker="a@host", pid=1, bytes_moved=0, order_id="")
        return metrics_text(survey(catalog, FleetStatus(is_broker_up=True, leases=(lease,))), "1.2.3").decode()


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bsegfleet_[a-z_]+", text))


def test_promtool_finds_no_fault_with_the_metrics(text: str) -> None:
    assert promtool("check", "metrics", given=text.encode()) == ""


def test_the_alert_rules_fire_when_they_should() -> None:
    assert promtool("check", "rules", "alerts.yml") == ""
    assert promtool("test", "rules", "alerts_test.yml") == ""
    assert promtool("check", "config", "--syntax-only", "prometheus.yml") == ""


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_rules_and_dashboard_ask_for_metrics_that_there_are(file: str, text: str) -> None:
    assert names_in((FOLDER / file).read_text()) <= names_in(text)


def test_every_metric_is_described(text: str) -> None:
    page = (REPOSITORY / "docs/monitoring.md").read_text()
    prefixes = ("segfleet_volume", "segfleet_device")
    named = names_in(page) | {f"{prefix}{short}" for prefix in prefixes for short in re.findall(r"`…(_[a-z_]+)`", page)}
    assert {name for name in names_in(text) if name not in named} == set()


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_rules_are_where_the_page_says() -> None:
    links = re.findall(r"\]\((monitoring/[^)]+)\)", (REPOSITORY / "docs/monitoring.md").read_text())
    assert {Path(link).name for link in links} == {path.name for path in FOLDER.iterdir()} - {"alerts_test.yml"}


def test_the_profile_of_the_containers_collects_from_the_page_with_these_rules(tmp_path: Path) -> None:
    compose, folder = (REPOSITORY / "docker/compose.yaml").read_text(), REPOSITORY / "docker"
    mounted = re.findall(r"^ +- (\.{1,2}/[^:]+):", compose, flags=re.MULTILINE)
    assert len(mounted) == 5
    assert all((folder / path).is_file() for path in mounted)
    password = tmp_path / "password"
    password.write_text("x")
    settings = (folder / "monitoring/prometheus.yml").read_text().replace("/run/secrets/page-prometheus", str(password))
    (tmp_path / "prometheus.yml").write_text(settings)
    (tmp_path / "alerts.yml").write_bytes((FOLDER / "alerts.yml").read_bytes())
    assert promtool("check", "config", str(tmp_path / "prometheus.yml")) == ""
