"""Who is notified of real backups, by hand and by the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.reservations import NEW_YEAR, make_due
from kit.program.forking.forked import EXECUTED
from kit.program.machine import Machine
from kit.services.receivers import MailServer, WebServer, mail_server, web_server

NOTIFY = """
[notify]
mail-from = "segfleet@example.org"
mail-to = ["me@example.org"]

[volumes.home]
on-success = "echo success >> {folder}/ends"
on-failure = "echo $SEGFLEET_EXIT_CODE >> {folder}/ends"
"""


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def test_each_backup_gives_its_signs_and_the_change_is_one_mail(
    machine: Machine, mails: MailServer, web: WebServer
) -> None:
    source = machine.folder / "home"
    source.mkdir()
    (source / "letter").write_text("dear reader")
    (machine.folder / "segfleet.toml").write_text(NOTIFY.format(folder=machine.folder))
    told = {
        "SEGFLEET_NOTIFY_SMTP": f"smtp://{mails.place}",
        "SEGFLEET_NOTIFY_HEALTH_CHECK": f"{web.url}/{{volume}}",
    }
    backup: tuple[str | Path, ...] = ("backup", source, *machine.devices("a"))

    assert machine.run(*backup, **told).exit_code == 0
    machine.succeed("schedule", "add", "home", source, *machine.devices("a"), *NEW_YEAR)
    away = source.rename(machine.folder / "away")
    make_due(machine.catalog)
    assert machine.run("schedule", "run-due", **told).exit_code == 1
    assert machine.run(*backup, **told).exit_code == 2
    away.rename(source)
    done = machine.run(*backup, **told)

    assert (done.exit_code, "notification" in done.stderr) == (0, False)
    assert [path for path, _ in web.requests] == [
        *("/home/start", "/home"),
        *("/home/start", "/home/fail"),
        # It did not even start.
        "/home/fail",
        *("/home/start", "/home"),
    ]
    assert (machine.folder / "ends").read_text().split() == ["success", "2", "2", "success"]
    assert mails.subjects == ["the backup of volume home failed", "volume home is backed up again"]


def test_a_device_that_is_away_is_one_mail_its_return_another_and_no_password_leaks(
    machine: Machine, mails: MailServer
) -> None:
    source = machine.folder / "home"
    source.mkdir()
    for name in "abcd":
        (source / name).write_text(name * 1000)
    (machine.folder / "segfleet.toml").write_text(
        NOTIFY.format(folder=machine.folder)
        + f'on-partial = "cat /proc/[0-9]*/cmdline >> {machine.folder}/arguments || true"\n'
    )
    told = {"SEGFLEET_NOTIFY_SMTP": f"smtp://me:of-this-test-alone@{mails.place}", **EXECUTED}
    backup: tuple[str | Path, ...] = ("backup", source, *machine.devices("a b"), "--bundle=off")

    done = [machine.run(*backup, **told)]
    away = machine.device("b").rename(machine.folder / "away")
    done += [machine.run(*backup, **told), machine.run(*backup, **told)]
    away.rename(machine.device("b"))
    done += [machine.run(*backup, **told)]

    assert [one.exit_code for one in done] == [0, 3, 3, 0]
    assert sorted(mails.subjects) == [
        "device b is absent",
        "device b is back",
        "the backup of volume home is partial",
        "volume home is backed up again",
    ]
    said = "".join(one.stdout.decode() + one.stderr for one in done)
    written = [path.read_bytes() for path in machine.state.rglob("*") if path.is_file()]
    # Of all processes of the machine, also those of other tests: so the password is no other test's.
    arguments = (machine.folder / "arguments").read_text()
    assert "producer.cli.start" in arguments
    assert "of-this-test-alone" not in said + arguments + "".join(map(str, mails.mails))
    assert not any(b"of-this-test-alone" in content for content in written)
