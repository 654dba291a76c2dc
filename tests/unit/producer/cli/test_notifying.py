"""Who is notified of a command's backups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.models.rows import record_run, reserve
from kit.services.receivers import MailServer, mail_server, web_server
from producer.catalog.catalog import Catalog
from producer.cli.call import Call
from producer.cli.main import run
from producer.cli.notifying import look_around, reported
from producer.configuration.reading import parse_configuration
from producer.summaries import BackupSummary
from tasks.errors import DeviceError, LockedError, SegfleetError, UsageError

NOTIFY = """
[notify]
mail-from = "segfleet@example.org"
mail-to = ["me@example.org"]
"""


@pytest.fixture
def mails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with mail_server() as server:
        password = tmp_path / "smtp"
        password.write_text(f"smtp://me:hunter2@{server.place}\n")
        monkeypatch.setenv("SEGFLEET_NOTIFY_SMTP_FILE", str(password))
        yield server


def call_with(text: str) -> Call:
    return Call(configuration=parse_configuration(text, Path("/etc/segfleet.toml")))


def summary(exit_code: int = 0) -> BackupSummary:
    figures: dict[str, Any] = dict.fromkeys(BackupSummary.__struct_fields__, 0)
    words = {"snapshot_id": "5" * 32, "volume": "home", "devices": {}, "incomplete": (), "exit_code": exit_code}
    return BackupSummary(**{**figures, **words, "errors": 2 if exit_code else 0})


def fails_with(error: Exception) -> Any:
    def back_up() -> BackupSummary:
        raise error

    return back_up


def test_a_backup_that_did_not_start_is_told_and_the_error_stays(mails: MailServer) -> None:
    with pytest.raises(DeviceError):
        reported(call_with(NOTIFY), "home", print, fails_with(DeviceError("no folder at /mnt/a")))
    assert mails.subjects == ["the backup of volume home failed"]
    assert "no folder at /mnt/a" in mails.mails[0].get_content()


def test_who_gives_way_to_another_run_tells_nobody(mails: MailServer) -> None:
    with pytest.raises(LockedError):
        reported(call_with(NOTIFY), "home", print, fails_with(LockedError("busy")))
    assert mails.mails == []


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (summary(), f"success 0 {'5' * 32} 0 "),
        (summary(3), f"partial 3 {'5' * 32} 2 2 files or folders could not be backed up as they are"),
        (DeviceError("no device"), "failure 1  0 no device"),
    ],
)
def test_each_outcome_has_its_hook(result: BackupSummary | SegfleetError, expected: str, tmp_path: Path) -> None:
    script = tmp_path / "hook"
    variables = " ".join(f"$SEGFLEET_{name}" for name in ("EXIT_CODE", "SNAPSHOT", "ERRORS", "REASON"))
    script.write_text(f'test -n "$SEGFLEET_SUMMARY" && echo "$1 {variables}" > {tmp_path}/out\n')
    hooks = "".join(f'on-{kind} = "sh {script} {kind}"\n' for kind in ("success", "partial", "failure"))
    notes: list[str] = []
    call = call_with(f"[volumes.home]\n{hooks}")
    if isinstance(result, SegfleetError):
        with pytest.raises(DeviceError):
            reported(call, "home", notes.append, fails_with(result))
    else:
        assert reported(call, "home", notes.append, lambda: result) is result
    assert (tmp_path / "out").read_text() == f"{expected}\n"
    assert notes == []


def test_a_hook_that_fails_is_a_note_and_the_backup_is_done() -> None:
    notes: list[str] = []
    call = call_with('[volumes.home]\non-success = "exit 7"\n')
    assert reported(call, "home", notes.append, summary).exit_code == 0
    assert notes == ["volume home: the on-success command ended with 7: exit 7"]


def test_an_overdue_volume_is_told_once_and_again_when_it_is_well(mails: MailServer, tmp_path: Path) -> None:
    call = call_with(NOTIFY)
    with Catalog(tmp_path / "state" / "catalog.sqlite") as catalog:
        record_run(catalog, "home", exit_code=0, started_at=datetime.now(UTC))
        row = reserve(catalog, "home", 1)
        look_around(call, print)
        look_around(call, print)
        catalog.reservations.reschedule(row, datetime.now(UTC).replace(year=2100, day=1), "")
    look_around(call, print)
    assert mails.subjects == ["volume home is overdue", "volume home is not overdue any more"]


def test_what_keeps_from_looking_around_is_a_note_and_no_failure(mails: MailServer, tmp_path: Path) -> None:
    notes: list[str] = []

    def back_up() -> BackupSummary:
        (tmp_path / "smtp").unlink()
        return summary()

    assert reported(call_with(NOTIFY), "home", notes.append, back_up).exit_code == 0
    (note,) = notes
    assert note.startswith("no notifications about devices and schedules: ")


def test_mail_without_addresses_is_refused_before_the_backup_begins(mails: MailServer) -> None:
    with pytest.raises(UsageError, match="mail needs a sender"):
        reported(call_with(""), "home", print, fails_with(AssertionError()))


def test_notify_test_sends_and_says_so(
    mails: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "segfleet.toml").write_text(NOTIFY)
    monkeypatch.setenv("SEGFLEET_CONFIG", str(tmp_path / "segfleet.toml"))
    with web_server() as web:
        monkeypatch.setenv("SEGFLEET_NOTIFY_HEALTH_CHECK", f"{web.url}/secret-id")
        assert run(["notify", "test"]) == 0
        assert capsys.readouterr().out == "mail: sent\nhealth check: sent\n"
        assert [path for path, _ in web.requests] == ["/secret-id"]
        web.status = 500
        assert run(["notify", "test"]) == 1
    output = capsys.readouterr()
    assert "health check: the health check answered with status 500" in output.out
    assert mails.subjects == ["a test", "a test"]
    assert "hunter2" not in output.out + output.err
    assert "secret-id" not in output.out + output.err


def test_notify_test_needs_somebody_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert run(["notify", "test"]) == 2
    assert "set smtp, urls or health-check in [notify]" in capsys.readouterr().err
