"""The configuration file: what it may hold, and how its faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.configuration.finding import find_configuration
from producer.configuration.reading import parse_configuration, read_configuration
from producer.configuration.toml_lines import line_of
from tasks.errors import UsageError

FILE = Path("/etc/segfleet/segfleet.toml")

WHOLE = """
[broker]
url = "redis://:secret@backup.example:6379/0"

[catalog]
url = "sqlite:////srv/catalog.sqlite"

[devices.a]
path = "/mnt/a"
weight = 2
reserve = "10GiB"

[devices.b]
path = "b"

[sources.data]
path = "~/data"
exclude = ["*.tmp", "/build/"]

[defaults]
level = 9
threads = 2
readers = 1
nice = 5
unit-size = "20MiB"
segment-size = "256MiB"
split = "remaining"
order = "ascending"
bundle = "off"
retries = 3
one-file-system = true
"""


def refusal_of(text: str) -> UsageError:
    with pytest.raises(UsageError) as refusal:
        parse_configuration(text, FILE)
    return refusal.value


def test_every_table_and_key_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    configuration = parse_configuration(WHOLE, FILE)
    assert configuration.broker.url == "redis://:secret@backup.example:6379/0"
    assert configuration.catalog.url == "sqlite:////srv/catalog.sqlite"
    assert configuration.devices["a"].weight == 2
    assert configuration.sources["data"].exclude == ("*.tmp", "/build/")
    assert configuration.defaults.given() == {
        "level": 9,
        "threads": 2,
        "readers": 1,
        "nice": 5,
        "unit_size": "20MiB",
        "segment_size": "256MiB",
        "split": "remaining",
        "order": "ascending",
        "bundle": "off",
        "retries": 3,
        "one_file_system": True,
    }


def test_relative_paths_start_at_the_folder_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    configuration = parse_configuration(WHOLE, FILE)
    assert configuration.devices["a"].path == "/mnt/a"
    assert configuration.devices["b"].path == "/etc/segfleet/b"
    assert configuration.sources["data"].path == "/home/me/data"


def test_an_empty_file_is_a_configuration() -> None:
    configuration = parse_configuration("", FILE)
    assert configuration.devices == {}
    assert configuration.defaults.given() == {}


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("\n[defaults]\nlevle = 3\n", f"{FILE}:3: unknown key 'levle' in [defaults]", "did you mean level?"),
        ("[defaults]\nunit_size = '24MiB'\n", f"{FILE}:2: unknown key 'unit_size'", "did you mean unit-size?"),
        ("[device.a]\npath = '/mnt/a'\n", f"{FILE}:1: unknown key 'device'", "did you mean devices?"),
        ("[devices.a]\npath = '/a'\n\n[devices.b]\npaht = '/b'\n", f"{FILE}:5: unknown key 'paht'", "path"),
        (
            "[broker]\nzzz = 1\n",
            f"{FILE}:2: unknown key 'zzz' in [broker]",
            "known keys: insecure-skip-verify, ssl_ca_certs, url",
        ),
    ],
)
def test_an_unknown_key_is_told_with_its_line_and_the_nearest_known_one(text: str, place: str, hint: str) -> None:
    refusal = refusal_of(text)
    assert refusal.message.startswith(place)
    assert hint in refusal.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults]\nlevel = 'high'\n", f"{FILE}:2: defaults.level: must be a whole number, not text"),
        ("[defaults]\n\nlevel = 99\n", f"{FILE}:3: defaults.level: must be at most 22"),
        ("[defaults]\nsplit = 'both'\n", f"{FILE}:2: defaults.split: unknown value 'both'"),
        ("[defaults]\nunit-size = '24MB'\n", f"{FILE}:2: defaults.unit-size: '24MB' is not a size"),
        ("[sources.a]\nexclude = []\n", f"{FILE}:1: sources.a: path is missing"),
        ("[devices.a]\npath = '/a'\nweight = -1\n", f"{FILE}:3: devices.a.weight: must be at least 0.001"),
        ("[devices.a]\npath = '/a'\nreserve = 'much'\n", f"{FILE}:3: devices.a.reserve: 'much' is not a size"),
        ("[devices.a]\npath = '/a'\nmax-rate = '0'\n", f"{FILE}:3: devices.a.max-rate: '0' is too small"),
        ("[devices.a]\nmax-rate = '1023'\n", f"{FILE}:2: devices.a.max-rate: '1023' is too small"),
        ('[devices.a]\npath = "/a\\u0000b"\n', f"{FILE}:2: devices.a.path: '/a\\x00b' contains a NUL character"),
        ('[sources.a]\npath = "\\u0000"\n', f"{FILE}:2: sources.a.path: '\\x00' contains a NUL character"),
        ('[volumes.a]\npre = "a\\u0000"\n', f"{FILE}:2: volumes.a.pre: 'a\\x00' contains a NUL character"),
        ("[devices.'a b']\npath = '/a'\n", f"{FILE}:1: devices.a b: not a valid name"),
        ("devices = 3\n", f"{FILE}:1: devices: must be a table"),
        ("defaults = 3\n", f"{FILE}:1: defaults: must be a table, not a whole number"),
        ("[defaults\n", f"{FILE}: invalid TOML:"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_line(text: str, message: str) -> None:
    assert refusal_of(text).message.startswith(message)


def test_a_word_that_is_not_among_the_known_ones_is_refused_with_these() -> None:
    assert refusal_of("[defaults]\nsplit = 'both'\n").hint == "use threshold or remaining"
    assert refusal_of("[defaults]\nlevel = 99\n").hint == ""


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the configuration .*: No such file"):
        read_configuration(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"level = \xff")
    with pytest.raises(UsageError, match="not UTF-8 at byte 8"):
        read_configuration(tmp_path / "binary.toml")


def test_the_flag_comes_before_the_variable_before_the_folder_before_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    (home / "segfleet").mkdir(parents=True)
    here.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    assert find_configuration(None, {}, here) is None
    (home / "segfleet" / "segfleet.toml").touch()
    assert find_configuration(None, {}, here) == home / "segfleet" / "segfleet.toml"
    (here / "segfleet.toml").touch()
    assert find_configuration(None, {}, here) == here / "segfleet.toml"
    assert find_configuration(None, {"SEGFLEET_CONFIG": "/by/variable"}, here) == Path("/by/variable")
    assert find_configuration("/by/flag", {"SEGFLEET_CONFIG": "/by/variable"}, here) == Path("/by/flag")


@pytest.mark.parametrize("table", ["devices", "sources", "targets"])
def test_a_path_in_the_home_of_nobody_is_told_with_its_line(table: str) -> None:
    refusal = refusal_of(f"[{table}.a]\n\npath = '~nosuchuser/x'\n")
    assert refusal.message == (f"{FILE}:3: {table}.a.path: ~nosuchuser/x: ~nosuchuser has no home folder on this host")
    assert "write the full path, or ./~nosuchuser/x" in refusal.hint


def test_a_folder_whose_name_begins_with_a_tilde_is_written_with_a_dot() -> None:
    configuration = parse_configuration("[sources.a]\npath = './~nosuchuser/x'\n", FILE)
    assert configuration.sources["a"].path == "/etc/segfleet/~nosuchuser/x"


def test_a_configuration_in_the_home_of_nobody_is_told_with_who_asked_for_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--config=~nosuchuser/x: ~nosuchuser has no home folder"):
        find_configuration("~nosuchuser/x", {}, tmp_path)
    with pytest.raises(UsageError, match=r"SEGFLEET_CONFIG=~nosuchuser/x: ~nosuchuser has no home folder"):
        find_configuration(None, {"SEGFLEET_CONFIG": "~nosuchuser/x"}, tmp_path)


def test_a_key_is_found_in_its_own_table_only() -> None:
    text = "[devices.a]\npath = 1\n[devices.b]\npath = 2\n[defaults]\nlevel = 3\n"
    assert line_of(text, ("devices", "b", "path")) == 4
    assert line_of(text, ("devices", "b", "weight")) == 3
    assert line_of(text, ("defaults", "level")) == 6
    # Only what is below it stands in the text.
    assert line_of(f"[broker]\n{text}", ("devices",)) == 2
    assert line_of(text, ("broker", "url")) == 1


def test_a_device_keeps_segments_unless_it_is_told_to_throw_them_away() -> None:
    text = '[devices.a]\npath = "/mnt/a"\n\n[devices.b]\npath = "/mnt/b"\ndiscard = true\n'
    devices = parse_configuration(text, Path("/etc/segfleet.toml")).devices
    assert (devices["a"].discard, devices["b"].discard) == (False, True)
