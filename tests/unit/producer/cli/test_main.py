"""How the command line answers: errors, exit codes, JSON, and what start-up may import."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.program.commands import all_commands
from producer.cli.commands.browse.snapshots import snapshots as snapshots_command
from producer.cli.main import run
from tasks.errors import DeviceFullError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SEGFLEET_CONFIG", raising=False)
    monkeypatch.delenv("SEGFLEET_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("data", "other", "a", "b"):
        (tmp_path / name).mkdir()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "none", "--device=a=a"], "cannot read source {}/none: No such file or directory"),
        (["backup", "data"], "no device is named"),
        (["backup"], "no SOURCE is named"),
        (["backup", "data", "--device=a"], "'a' is not NAME=PATH"),
        (["backup", "data", "--device=a/b=a"], "'a/b=a' is not NAME=PATH"),
        (["backup", "data", "--device=a=a", "--device=a=b"], "'a' is named twice: {0}/a and {0}/b"),
        (["backup", "data", "--device=a=a", "--device=b=./a/../a"], "devices a and b are the same folder {}/a"),
        (["backup", "data", "--device=a=data/in"], "device a ({0}/data/in) lies inside source {0}/data"),
        (["backup", "a", "--device=a=."], "source {0}/a lies inside device a ({0})"),
        (["backup", ".", "data", "--device=a=a"], "source {0}/data lies inside source {0}"),
        (["backup", "data", "--device=a=a", "--unit-size=24MB"], "'24MB' is not a size"),
        (["backup", "data", "--device=a=a", "--unit-size=1KiB"], "1KiB is outside 65536 to"),
        (["backup", "data", "--device=a=a", "--unit-size=65537"], "not a multiple of the block size"),
        (["backup", "data", "--device=a=a", "--level=40"], "40 is not in the range"),
        (["backup", "data", "--device=a=a", "--volume=a b"], "'a b' is not a valid volume name"),
        (["backup", "data", "--device=a=a", "--config=none"], "cannot read the configuration none"),
        (
            ["backup", "data", "--device=a=a", "--config=~nosuchuser/x"],
            "--config=~nosuchuser/x: ~nosuchuser has no home folder",
        ),
        (["backup", "data", "--device=a=~nosuchuser/x"], "~nosuchuser/x: ~nosuchuser has no home folder"),
        (["backup", "~nosuchuser/x", "--device=a=a"], "~nosuchuser/x: ~nosuchuser has no home folder"),
        (
            ["restore", "latest", "--device=a=a", "--target=~nosuchuser/x"],
            "~nosuchuser/x: ~nosuchuser has no home folder",
        ),
        (["restore", "latest", "--device=a=a"], "Missing option '--target'"),
        (["restore", "latest", "--device=a=a", "--target=a/x"], "--target {0}/a/x lies inside device a"),
        (["check", "--device=a=a", "--read-data-subset=3/2"], "'3/2' must be n/t"),
        (["check", "--device=a=a", "--read-data-subset=0%"], "'0%' must be n/t"),
        (["nonsense"], "No such command 'nonsense'"),
        (["snapsho"], "No such command 'snapsho'.\n  did you mean snapshots?"),
        (["restor"], "did you mean restore or retry or history?"),
    ],
)
def test_wrong_usage_is_told_on_standard_error_and_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = refused(capsys, *arguments)
    assert text.startswith("segfleet: ")
    assert said.format(tmp_path) in text


def test_one_folder_behind_a_symlink_under_two_names_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("a")
    assert "are the same folder" in refused(capsys, "backup", "data", "--device=a=a", "--device=b=link")


def test_a_source_behind_a_symlink_into_a_device_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a" / "inner").mkdir()
    (tmp_path / "link").symlink_to("a/inner")
    assert "lies inside device a" in refused(capsys, "backup", "link", "--device=a=a")


def test_a_fault_of_the_configuration_is_told_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "segfleet.toml").write_text("[defaults]\nlevle = 3\n")
    assert f"{tmp_path}/segfleet.toml:2: unknown key 'levle'" in refused(capsys, "snapshots")


def test_a_configured_source_with_excludes_is_not_mixed_with_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "segfleet.toml").write_text(
        "[sources.mine]\npath = 'data'\nexclude = ['*.tmp']\n[devices.a]\npath = 'a'\n"
    )
    assert "source mine has its own exclude list" in refused(capsys, "backup", "mine", "other")


def test_in_json_mode_an_error_is_an_object_on_standard_output_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backup", "none", "--device=a=a", "--json"]) == 2
    output = capsys.readouterr()
    (line,) = output.out.splitlines()
    error = json.loads(line)
    assert (error["message_type"], error["code"]) == ("error", "usage")
    assert error["path"].endswith("/none")
    assert error["message"] in output.err


def test_in_json_mode_even_a_line_that_does_not_parse_is_answered_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--nonsense", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "usage"


def test_an_error_ends_with_the_exit_code_of_its_class_and_tells_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_options: object) -> None:
        raise DeviceFullError("device a: full")

    monkeypatch.setattr(snapshots_command, "callback", full)
    assert run(["snapshots"]) == 1
    assert capsys.readouterr().err == "segfleet: device a: full\n  add a device, or free space on this one\n"


def test_an_error_that_nobody_foresaw_leaves_a_report_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(**_options: object) -> None:
        raise ZeroDivisionError("by a test")

    monkeypatch.setattr(snapshots_command, "callback", broken)
    assert run(["snapshots"]) == 1
    text = capsys.readouterr().err
    (report,) = (tmp_path / "state" / "crashes").iterdir()
    assert text.startswith("segfleet: internal error: ZeroDivisionError: by a test")
    assert str(report) in text
    assert "Traceback" not in text
    assert "Traceback" in report.read_text()

    monkeypatch.setenv("SEGFLEET_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["snapshots"])


def test_ctrl_c_ends_a_list_with_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshots_command, "callback", interrupted)
    assert run(["snapshots"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error_to_tell() -> None:
    program = "from producer.cli.start import main; main()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [["--help"], ["backup", "--help"], ["snapshots"], ["devices", "--help"]])
def test_help_and_lists_import_no_more_than_they_need(arguments: list[str]) -> None:
    names = {"celery", "kombu", "redis", "rich", "alembic", "workers", "pathspec", "sqlalchemy.dialects.postgresql"}
    program = (
        "import sys; from producer.cli.main import run; run(sys.argv[1:]);"
        f"print(*{names} & set(sys.modules), file=sys.stderr)"
    )
    run_once = [sys.executable, "-c", program, *arguments]
    # The first call makes the catalog; the one that counts finds it.
    subprocess.run(run_once, capture_output=True, check=True)
    done = subprocess.run(run_once, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == ""


@pytest.mark.parametrize("arguments", [[], ["schedule"], ["help"], ["help", "schedule", "add"], ["backup", "-h"]])
def test_help_goes_to_standard_output_and_is_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    output = capsys.readouterr()
    assert output.out.startswith("Usage: segfleet")
    assert output.err == ""


def test_help_for_what_is_no_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no command schedule nonsense" in refused(capsys, "help", "schedule", "nonsense")


def test_help_has_every_command_once_in_groups_with_a_whole_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    output = capsys.readouterr().out
    assert "Back up:" in output and "Keep and forget:" in output
    listed = re.findall(r"^  (\w+)  +\S", output.partition("Set up:")[2], re.MULTILINE)
    assert sorted(listed) == sorted(all_commands())
    assert "..." not in output.partition("Set up:")[2]


def test_no_argument_is_listed_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("backup", "forget", "devices lost", "ls"):
        run([*command.split(), "--help"])
        options = capsys.readouterr().out.partition("Options:\n")[2]
        assert all(line.startswith(("  -", "   ")) for line in options.splitlines() if line), options


def test_the_help_of_forget_groups_what_it_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    run(["forget", "-h"])
    titles = [line for line in capsys.readouterr().out.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["What is kept:", "Options:"]


def test_the_help_of_a_backup_groups_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    run(["backup", "-h"])
    titles = [line for line in capsys.readouterr().out.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[:3] == ["What is backed up:", "What is left out:", "Streams:"]
    assert titles[-1] == "Options:"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("segfleet snap", "plain,snapshots"),
        ("segfleet backup --verb", "plain,--verbose"),
        ("segfleet backup /e", "file,/e"),
    ],
)
def test_a_shell_completes_commands_options_and_files(
    words: str, completed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "segfleet.toml").write_text("this is no TOML")
    monkeypatch.setenv("_SEGFLEET_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_SEGFLEET_COMPLETE" in capsys.readouterr().out
