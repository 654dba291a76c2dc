"""Messages as a mail server, and a health check, get them."""

from __future__ import annotations

import base64
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace

from kit.deadlines import DEADLINE_S
from kit.services.receivers import MailServer, WebServer, mail_server, web_server
from producer.host.state import StateFolder
from producer.notify.changes import Condition, Message
from producer.notify.notifier import Notifier, send
from producer.notify.outcome import Outcome
from producer.notify.settings import NotifySettings

WELL = Outcome(volume="home", exit_code=0, summary="all is stored")
PARTIAL = Outcome(volume="home", exit_code=3, errors=2, reason="2 files", summary="2 files are missing")
FAILED = Outcome(volume="home", exit_code=1, reason="no device", summary="the backup of volume home failed: no device")


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class Notes(list[str]):
    """What the person at the terminal reads."""


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def notifier(mails: MailServer, tmp_path: Path, notes: Notes) -> Notifier:
    return make(by_mail(mails), tmp_path, notes)


def make(settings: NotifySettings, folder: Path, notes: Notes) -> Notifier:
    return Notifier(settings, StateFolder(path=folder), notes.append)


def by_mail(server: MailServer, user: str = "") -> NotifySettings:
    url = f"smtp://{user}{server.place}"
    return NotifySettings(smtp_url=url, mail_from="segfleet@example.org", mail_to=("a@example.org", "b@example.org"))


def dead(state: str = "dead") -> Condition:
    return Condition(key="device a", state=state, topic="device", title=f"device a is {state}", body="I/O error")


def test_each_change_of_a_backup_is_one_mail(notifier: Notifier, mails: MailServer) -> None:
    for outcome in (WELL, FAILED, FAILED, PARTIAL, PARTIAL, WELL, WELL):
        notifier.ended(outcome)
    assert mails.subjects == [
        "the backup of volume home failed",
        "the backup of volume home is partial",
        "volume home is backed up again",
    ]
    assert [mail["To"] for mail in mails.mails] == ["a@example.org, b@example.org"] * 3
    assert "no device" in mails.mails[0].get_content()


def test_what_lasts_is_told_once_however_often_somebody_looks(notifier: Notifier, mails: MailServer) -> None:
    for found in ([dead()], [dead()], [dead("absent")], [], []):
        notifier.look(found, ("device", "overdue"))
    assert mails.subjects == ["device a is dead", "device a is absent", "device a is back"]


def test_another_process_knows_what_was_told(mails: MailServer, tmp_path: Path, notes: Notes) -> None:
    for _ in range(2):
        make(by_mail(mails), tmp_path, notes).ended(FAILED)
    assert len(mails.mails) == 1


def test_a_look_at_devices_forgets_no_backup(notifier: Notifier, mails: MailServer) -> None:
    notifier.ended(FAILED)
    notifier.look([], ("device", "overdue"))
    assert len(mails.mails) == 1


def test_only_what_is_asked_for_is_sent(mails: MailServer, tmp_path: Path, notes: Notes) -> None:
    settings = replace(by_mail(mails), on=frozenset({"failed"}))
    notifier = make(settings, tmp_path, notes)
    for outcome in (PARTIAL, FAILED, WELL):
        notifier.ended(outcome)
    assert mails.subjects == ["the backup of volume home failed"]


def test_what_nobody_got_is_sent_with_the_next_look(notifier: Notifier, mails: MailServer, notes: Notes) -> None:
    mails.code = 554
    notifier.look([dead()], ("device",))
    mails.code = 250
    notifier.look([dead()], ("device",))
    assert mails.subjects == ["device a is dead"]
    assert notes == ["a notification was not sent: the mail server refused it with code 554"]


def test_a_slow_mail_holds_up_no_other_message_and_is_sent_once(
    mails: MailServer, tmp_path: Path, notes: Notes
) -> None:
    mails.held = "I/O error"
    slow = [make(by_mail(mails), tmp_path, notes) for _ in range(2)]
    threads = [Thread(target=notifier.look, args=([dead()], ("device",))) for notifier in slow]
    for thread in threads:
        thread.start()
    try:
        assert mails.is_holding.wait(DEADLINE_S)
        make(by_mail(mails), tmp_path, notes).ended(FAILED)
        assert mails.subjects == ["the backup of volume home failed"]
    finally:
        mails.may_go_on.set()
        for thread in threads:
            thread.join()
    assert mails.subjects == ["the backup of volume home failed", "device a is dead"]
    assert notes == []


def test_a_mail_server_that_does_not_answer_is_asked_once_a_look(
    silent_port: int, tmp_path: Path, notes: Notes
) -> None:
    url = f"smtp://127.0.0.1:{silent_port}"
    settings = NotifySettings(smtp_url=url, mail_from="a@example.org", mail_to=("b@example.org",))
    found = [replace(dead(), key=f"device {name}") for name in "abc"]
    Notifier(settings, StateFolder(path=tmp_path), notes.append, limit_s=0.1).look(found, ("device",))
    assert notes == ["a notification was not sent: the mail server does not answer: timed out"]


def test_a_name_cannot_add_a_header(notifier: Notifier, mails: MailServer) -> None:
    notifier.ended(replace(FAILED, volume="x\nBcc: evil@example.org", summary="bad\udcff\x1b[31m"))
    (mail,) = mails.mails
    assert mail["Bcc"] is None
    assert "\x1b" not in mail.get_content()


def test_a_damaged_memory_makes_messages_come_twice_and_nothing_worse(
    notifier: Notifier, mails: MailServer, tmp_path: Path
) -> None:
    notifier.ended(FAILED)
    (tmp_path / "notified.json").write_text("{damaged")
    notifier.ended(FAILED)
    assert len(mails.mails) == 2


def test_the_password_goes_to_the_mail_server_and_nowhere_else(mails: MailServer, tmp_path: Path, notes: Notes) -> None:
    settings = by_mail(mails, user="me:hunter2@")
    make(settings, tmp_path, notes).ended(FAILED)
    assert base64.b64encode(b"\0me\0hunter2").decode() in mails.logins[0]
    mails.code = 554
    make(settings, tmp_path, notes).ended(PARTIAL)
    kept = (tmp_path / "notified.json").read_text()
    seen = [repr(settings), *notes, *(mail.as_string() for mail in mails.mails), kept]
    assert not [text for text in seen if "hunter2" in text]


@pytest.mark.parametrize("url", ["smtp://127.0.0.1:1", "ftp://host", "smtp://host:many", "smtp://[", "hunter2"])
def test_a_mail_server_that_cannot_be_used_is_a_note_without_its_url(url: str, tmp_path: Path, notes: Notes) -> None:
    settings = NotifySettings(smtp_url=url, mail_from="a@example.org", mail_to=("b@example.org",))
    make(settings, tmp_path, notes).ended(FAILED)
    (note,) = notes
    assert "mail server" in note
    assert url not in note


def test_a_health_check_hears_of_the_beginning_and_the_end(web: WebServer, tmp_path: Path, notes: Notes) -> None:
    notifier = make(NotifySettings(health_check=f"{web.url}/ping/{{volume}}"), tmp_path, notes)
    for outcome in (WELL, PARTIAL, replace(FAILED, volume="a b/c")):
        notifier.started(outcome.volume)
        notifier.ended(outcome)
    assert [path for path, _ in web.requests] == [
        "/ping/home/start",
        "/ping/home",
        "/ping/home/start",
        "/ping/home/fail",
        "/ping/a%20b%2Fc/start",
        "/ping/a%20b%2Fc/fail",
    ]
    assert web.requests[1][1] == "all is stored"


def test_a_health_check_that_refuses_is_a_note_without_its_url(web: WebServer, tmp_path: Path, notes: Notes) -> None:
    web.status = 404
    make(NotifySettings(health_check=f"{web.url}/hunter2"), tmp_path, notes).started("home")
    make(NotifySettings(health_check="file:///etc/passwd"), tmp_path, notes).started("home")
    assert notes == [
        "the health check answered with status 404",
        "the URL of the health check is not http:// or https://",
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_sends_to_its_services(web: WebServer) -> None:
    url = web.url.replace("http://", "json://")
    message = Message(topic="failed", title="the backup failed", body="no device")
    assert send(NotifySettings(urls=(url,)), message, ["apprise"]) == {}
    assert "no device" in web.requests[0][1]
    refusals = send(NotifySettings(urls=(url, "json://127.0.0.1:1/hunter2")), message, ["apprise"])
    assert str(refusals["apprise"]) == "apprise could not send to url 2 (json)"


def test_without_apprise_its_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    message = Message(topic="failed", title="", body="")
    refusals = send(NotifySettings(urls=("json://host",)), message, ["apprise"])
    assert str(refusals["apprise"]) == "apprise is not installed: pip install 'segfleet[notify]'"
