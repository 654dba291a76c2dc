"""The private server with real processes: who starts it, who keeps it, and when it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from redis import Redis

from producer.broker import Broker, broker
from producer.broker import private as private_module
from producer.broker.shares import begin_private_server
from producer.host.state import StateFolder
from tasks.errors import BrokerError

DEADLINE_S = 20.0

#: A user in a process of its own: says the server's pid, and stays until it is killed or told to leave.
USER = """
import sys
from pathlib import Path
from producer.broker import broker
from producer.host.state import StateFolder

with broker(None, StateFolder(path=Path(sys.argv[1]))) as private:
    print(private.pid, flush=True)
    sys.stdin.readline()
"""


#: One that ends before it uses the server that it has begun.
BRIEF_USER = """
import sys
from pathlib import Path
from producer.broker.shares import begin_private_server
from producer.host.state import StateFolder

begin_private_server(StateFolder(path=Path(sys.argv[1])).broker_dir)
"""


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateFolder]:
    """A state folder with a short path; whatever still runs in it afterwards is ended."""
    monkeypatch.delenv("SEGFLEET_BROKER_URL", raising=False)
    state = StateFolder(path=tmp_path_factory.mktemp("s"))
    try:
        yield state
        eventually(lambda: not processes_of(state), "every process of the private server is gone")
    finally:
        for process in processes_of(state):
            process.kill()


def eventually(holds: Callable[[], object], claim: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:.0f} s: {claim}"
        time.sleep(0.005)


def processes_of(state: StateFolder) -> list[psutil.Process]:
    """Keeper, watcher and server of this state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(state.broker_dir) in word for word in process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def keeper_pid(state: StateFolder, private: Broker) -> int:
    assert private.pid is not None
    return int(psutil.Process(private.pid).ppid())


def client(state: StateFolder) -> Redis:
    return Redis(unix_socket_path=str(state.broker_dir / "broker.sock"))


@contextmanager
def user(state: StateFolder, count: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-c", USER, str(state.path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def server_pid_of(user: subprocess.Popen[str]) -> int:
    assert user.stdout is not None
    return int(user.stdout.readline())


def test_the_private_server_answers_on_a_socket_for_this_user_alone(state: StateFolder) -> None:
    with broker(None, state) as private:
        assert private.embedded
        assert private.url == f"redis+socket://{state.broker_dir}/broker.sock"
        assert client(state).ping()
        assert client(state).config_get("port")["port"] == "0"
        assert (state.broker_dir / "broker.sock").stat().st_mode & 0o777 == 0o700
        assert state.broker_dir.stat().st_mode & 0o777 == 0o700


def test_a_second_user_finds_the_server_of_the_first(state: StateFolder) -> None:
    with broker(None, state) as first, broker(None, state) as second:
        assert first.pid == second.pid


def test_a_server_that_was_begun_is_the_one_that_is_used(state: StateFolder) -> None:
    begin_private_server(state.broker_dir)
    begin_private_server(state.broker_dir)

    with broker(None, state) as first:
        begin_private_server(state.broker_dir)
        with broker(None, state) as second:
            assert first.pid == second.pid
    eventually(lambda: not processes_of(state), "the server ends")
    assert (state.broker_dir / "broker.log").read_text().count("keeper: started") == 1


def test_a_user_that_ends_before_it_uses_what_it_began_leaves_no_server_behind(state: StateFolder) -> None:
    subprocess.run([sys.executable, "-c", BRIEF_USER, str(state.path)], check=True)

    log = state.broker_dir / "broker.log"
    eventually(lambda: "keeper: ended" in log.read_text(), "the keeper ends")
    assert not (state.broker_dir / "broker.sock").exists()


def test_a_server_that_cannot_be_begun_is_missed_when_it_is_used(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_module, "find_server", _no_server)

    begin_private_server(state.broker_dir)

    with pytest.raises(BrokerError, match="there is none"), broker(None, state):
        pass


def _no_server() -> None:
    raise BrokerError("there is none")


def test_the_server_stays_until_the_last_user_leaves(state: StateFolder) -> None:
    with broker(None, state) as first:
        with broker(None, state):
            client(state).set("key", "value")
        assert client(state).get("key") == b"value"
        first.ensure_running()
    eventually(lambda: not processes_of(state), "the server ends")
    assert not (state.broker_dir / "broker.sock").exists()


def test_users_that_start_at_once_share_one_server(state: StateFolder) -> None:
    with user(state, count=6) as users:
        assert len({server_pid_of(each) for each in users}) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_user_that_is_killed_leaves_no_server_behind(state: StateFolder, number: signal.Signals) -> None:
    with user(state) as (only,):
        server = psutil.Process(server_pid_of(only))
        only.send_signal(number)
        # Issue of the main job: within two seconds.
        gone, _ = psutil.wait_procs([server], timeout=2)
        assert gone == [server]
    eventually(lambda: not processes_of(state), "keeper and watcher end too")


def test_a_user_that_is_killed_does_not_take_the_server_from_the_others(state: StateFolder) -> None:
    with user(state) as (starter,):
        pid = server_pid_of(starter)
        with broker(None, state) as private:
            starter.kill()
            starter.wait()
            private.ensure_running()
            assert private.pid == pid


def test_a_new_run_begins_with_an_empty_broker(state: StateFolder) -> None:
    with broker(None, state):
        client(state).set("key", "old")
    with broker(None, state):
        # The keeper of the first may have lived on for the second; an end in between empties it.
        pass
    eventually(lambda: not processes_of(state), "the server ends")
    with broker(None, state):
        assert client(state).get("key") is None


def test_users_that_come_and_go_never_meet_an_ending_server(state: StateFolder) -> None:
    for number in range(30):
        with broker(None, state):
            assert client(state).set("key", number)


def test_a_killed_server_comes_back_with_its_data(state: StateFolder) -> None:
    with broker(None, state) as private:
        client(state).rpush("device.a", *range(1000))
        first = private.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: private.pid not in (None, first), "another server answers")
        assert client(state).llen("device.a") == 1000


def test_data_that_ends_in_half_a_command_is_read_up_to_there(state: StateFolder) -> None:
    with broker(None, state) as private:
        client(state).set("key", "value")
        append_to_data(state, b"*3\r\n$3\r\nSET\r\n$3\r\nke")
        kill_server(private)
        assert client(state).get("key") == b"value"


def test_data_that_the_server_refuses_is_given_up(state: StateFolder) -> None:
    with broker(None, state) as private:
        client(state).set("key", "value")
        append_to_data(state, b"this is no command\r\n" * 10)
        kill_server(private)
        assert client(state).get("key") is None
        assert "starting again without the data" in (state.broker_dir / "broker.log").read_text()


def kill_server(private: Broker) -> None:
    """Kill the server and wait for the one that the keeper starts."""
    first = private.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: private.pid not in (None, first), "another server answers")


def append_to_data(state: StateFolder, tail: bytes) -> None:
    (appended,) = (state.broker_dir / "data").rglob("*.incr.aof")
    with appended.open("ab") as file:
        file.write(tail)


def test_a_server_does_not_outlive_its_keeper(state: StateFolder) -> None:
    with broker(None, state) as private:
        assert private.pid is not None
        server = psutil.Process(private.pid)
        os.kill(keeper_pid(state, private), signal.SIGKILL)
        gone, _ = psutil.wait_procs([server], timeout=DEADLINE_S)
        assert gone == [server]


def test_a_user_whose_keeper_was_killed_brings_the_server_back_with_its_data(state: StateFolder) -> None:
    with broker(None, state) as private:
        client(state).set("key", "value")
        os.kill(keeper_pid(state, private), signal.SIGKILL)
        eventually(lambda: not processes_of(state), "keeper, watcher and server are gone")
        private.ensure_running()
        assert client(state).get("key") == b"value"


def test_what_a_killed_keeper_left_is_not_the_next_runs(state: StateFolder) -> None:
    with broker(None, state) as private:
        client(state).set("key", "old")
        os.kill(keeper_pid(state, private), signal.SIGKILL)
        eventually(lambda: not processes_of(state), "keeper, watcher and server are gone")
    assert (state.broker_dir / "broker.sock").exists()
    with broker(None, state):
        assert client(state).get("key") is None


def test_a_killed_watcher_is_replaced(state: StateFolder) -> None:
    with broker(None, state) as private:
        keeper = psutil.Process(keeper_pid(state, private))
        (watcher,) = [child for child in keeper.children() if child.pid != private.pid]
        watcher.kill()
        eventually(lambda: not watcher.is_running() and len(keeper.children()) == 2, "another watcher waits")


def test_a_socket_that_nobody_listens_on_is_no_obstacle(state: StateFolder) -> None:
    state.broker_dir.mkdir()
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(state.broker_dir / "broker.sock"))
    with broker(None, state):
        assert client(state).ping()


def test_a_socket_path_over_the_limit_is_a_clear_error(state: StateFolder) -> None:
    long = StateFolder(path=state.path / ("x" * 100))

    with pytest.raises(BrokerError, match=r"socket has \d+ bytes, the system allows 107") as caught, broker(None, long):
        pass

    assert "SEGFLEET_STATE" in caught.value.hint


def test_the_longest_socket_path_works(state: StateFolder) -> None:
    rest = 107 - len(str(state.path / "x" / "broker" / "broker.sock")) + 1
    longest = StateFolder(path=state.path / ("x" * rest))

    with broker(None, longest) as private:
        assert len(str(longest.broker_dir / "broker.sock")) == 107
        assert private.pid


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("#!/bin/sh\n[ $1 = --version ] && echo v=9.9.9 && exit\necho cannot start; exit 1\n", "cannot start"),
        ("#!/no/such/interpreter\n", "cannot run"),
    ],
)
def test_a_server_that_does_not_start_is_a_clear_error(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    program = state.path / "valkey-server"
    program.write_text(script)
    program.chmod(0o700)
    monkeypatch.setattr(private_module, "find_server", lambda: program)

    with pytest.raises(BrokerError, match="cannot start the private broker") as caught, broker(None, state):
        pass

    assert says in caught.value.message
    assert "broker.log" in caught.value.hint


def test_the_server_may_come_from_a_folder_with_blanks_in_its_name(state: StateFolder) -> None:
    spaced = StateFolder(path=state.path / "a b")

    with broker(None, spaced) as private:
        assert private.url.endswith("/a%20b/broker/broker.sock")
