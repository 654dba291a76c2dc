"""The metrics, as Prometheus reads them."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from kit.models.rows import T0, begin, lock, plan, record_run, reserve, store
from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from producer.cli.main import run
from producer.monitor.fleet import FleetStatus
from producer.monitor.metrics.metrics import metrics_text
from producer.monitor.survey import survey
from tasks.broker.leases import Lease


def samples(catalog: Catalog, fleet: FleetStatus | None = None) -> dict[str, float]:
    """``name{label=value,…}`` → value."""
    text = metrics_text(survey(catalog, fleet), "1.2.3").decode()
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def device(name: str = "a", state: str = "live") -> DeviceRow:
    return DeviceRow(
        name=name,
        device_id=name * 32,
        pool_id="1" * 32,
        state=state,  # type: ignore[arg-type]
        reason="",
        since=T0,
        capacity_bytes=1000,
        free_bytes=400,
        epoch=1,
        path=f"/mnt/{name}",
    )


def test_a_volume_shows_its_last_backup_and_its_next(catalog: Catalog) -> None:
    catalog.snapshots.seal(begin(catalog, "home"), T0, b"h" * 32)
    record_run(catalog, "home", exit_code=3)
    reserve(catalog, "home", 1)

    found = samples(catalog)

    assert found["segfleet_volume_last_success_timestamp_seconds volume=home"] == T0.timestamp()
    assert found["segfleet_volume_last_exit_code volume=home"] == 3
    assert found["segfleet_volume_last_duration_seconds volume=home"] == 3600
    assert found["segfleet_volume_next_due_timestamp_seconds volume=home"] == T0.timestamp() + 86_400
    assert found["segfleet_volume_running volume=home"] == 0
    assert found["segfleet_verdict"] == 2


def test_a_running_backup_shows_how_far_it_is_and_not_as_the_last_one(catalog: Catalog) -> None:
    record_run(catalog, "home", exit_code=0)
    lock(catalog, "home")
    record_run(catalog, "home", exit_code=None, started_at=datetime.now(UTC))
    snapshot_id = begin(catalog, "home", 1)
    plan(catalog, snapshot_id, 2)
    store(catalog, snapshot_id, 0)

    found = samples(catalog)

    assert found["segfleet_volume_running volume=home"] == 1
    assert found["segfleet_volume_running_done_bytes volume=home"] == 100
    assert found["segfleet_volume_running_total_bytes volume=home"] == 200
    assert found["segfleet_volume_last_exit_code volume=home"] == 0


def test_a_device_shows_its_state_its_space_and_what_it_holds(catalog: Catalog) -> None:
    catalog.devices.record(device(state="dead"))
    snapshot_id = begin(catalog, "home")
    plan(catalog, snapshot_id, 2)
    store(catalog, snapshot_id, 0)
    store(catalog, snapshot_id, 1)

    found = samples(catalog)

    assert found["segfleet_device_state device=a state=dead"] == 1
    assert found["segfleet_device_state device=a state=live"] == 0
    assert found["segfleet_device_free_bytes device=a"] == 400
    assert found["segfleet_device_stored_bytes device=a"] == 2
    assert found["segfleet_problems colour=red"] == 1


def test_what_would_be_lost_with_a_device_is_what_the_last_backups_have_found(catalog: Catalog) -> None:
    for name in "ab":
        catalog.devices.record(device(name))
    for volume, risk in (("home", {"a": {"files": 2, "bytes": 30}}), ("photos", {"a": {"files": 1, "bytes": 4}})):
        record_run(catalog, volume, exit_code=None)
        catalog.runs.end(next(run.run_id for run in catalog.runs.all() if run.volume == volume), 0, {"at_risk": risk})
    # Nobody knows what it would have found.
    record_run(catalog, "failed", exit_code=1)

    found = samples(catalog)

    assert [found[f"segfleet_device_at_risk_files device={name}"] for name in "ab"] == [3, 0]
    assert [found[f"segfleet_device_at_risk_bytes device={name}"] for name in "ab"] == [34, 0]


def test_what_no_backup_has_found_out_is_no_zero(catalog: Catalog) -> None:
    catalog.devices.record(device())
    record_run(catalog, "home", exit_code=1)
    assert not [name for name in samples(catalog) if "at_risk" in name]


def test_the_last_check_is_shown_with_what_it_found(catalog: Catalog) -> None:
    record_run(catalog, "", exit_code=0, kind="check")
    found = samples(catalog)
    assert found["segfleet_last_check_timestamp_seconds"] == T0.timestamp() + 3600
    assert found["segfleet_last_check_errors"] == 0


def test_agents_are_counted_only_where_a_broker_is_configured(catalog: Catalog) -> None:
    catalog.devices.record(device())
    lease = Lease(device="b", worker="b@host", pid=1, bytes_moved=0, order_id="")
    assert not [name for name in samples(catalog) if name.startswith(("segfleet_agents", "segfleet_broker"))]
    found = samples(catalog, FleetStatus(is_broker_up=True, leases=(lease,)))
    assert (found["segfleet_agents device=a"], found["segfleet_agents device=b"]) == (0, 1)
    assert samples(catalog, FleetStatus(is_broker_up=False))["segfleet_broker_up"] == 0


def test_hostile_names_stay_in_their_label(catalog: Catalog) -> None:
    record_run(catalog, 'x"} 1\nsegfleet_verdict 0 \udcff', exit_code=0)
    found = samples(catalog)
    assert [name for name in found if name.startswith("segfleet_verdict")] == ["segfleet_verdict"]
    assert any("\\377" in name for name in found)


def test_devices_of_two_pools_with_one_name_are_one_series(catalog: Catalog) -> None:
    catalog.devices.record(device())
    catalog.devices.record(replace(device(), device_id="f" * 32, pool_id="2" * 32, free_bytes=7))
    assert samples(catalog)["segfleet_device_free_bytes device=a"] == 7


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_the_textfile_is_replaced_as_a_whole_and_readable_for_others(state: Path) -> None:
    file = state / "segfleet.prom"
    file.write_text("former\n" * 10_000)
    assert run(["metrics", "--textfile", str(file)]) == 0
    assert b"segfleet_verdict" in file.read_bytes()
    assert b"former" not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in state.iterdir() if path.is_file()] == ["segfleet.prom"]


def test_a_textfile_that_cannot_be_written_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["metrics", "--textfile", str(state / "missing" / "segfleet.prom")]) == 2
    assert "missing/segfleet.prom: No such file" in capsys.readouterr().err
