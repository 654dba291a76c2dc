"""However a command ends, nothing that it started goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.command import Running
from kit.program.machine import Machine
from kit.program.proof import bring_back
from kit.tree import Tree, noise

#: A backup that lasts minutes, in steps of a fraction of a second.
SLOW = ("--level=19", "--unit-size=64KiB", "--segment-size=1MiB", "--threads=1")


def start_slow_backup(machine: Machine, names: str = "a b") -> Running:
    source = machine.folder / "data"
    if not source.exists():
        Tree({"large": noise(100 * 2**20), "small": b"small"}).make(source)
    running = machine.start("backup", source, *machine.devices(names), *SLOW, "--json")
    running.wait_until_storing()
    return running


def test_a_killed_command_leaves_no_process_behind(machine: Machine) -> None:
    running = start_slow_backup(machine)
    started = machine.processes()
    # The command, two workers with a child each, the broker and its keeper with its watcher.
    assert len(started) >= 8

    running.signal(signal.SIGKILL)

    machine.wait_until_quiet()
    eventually(lambda: not any(map(lives, started)), "none of the processes is left")


def lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_command_killed_with_stopped_workers_leaves_no_process_behind(machine: Machine) -> None:
    running = start_slow_backup(machine)
    for pid in running.worker_pids().values():
        os.kill(pid, signal.SIGSTOP)

    running.signal(signal.SIGKILL)

    machine.wait_until_quiet()


def test_after_a_kill_the_same_command_works_again(machine: Machine) -> None:
    start_slow_backup(machine).signal(signal.SIGKILL)
    (machine.folder / "data" / "large").write_bytes(noise(2**20))

    machine.succeed("backup", machine.folder / "data", *machine.devices("a b"))
    bring_back(machine, "out")

    assert differences(machine.folder / "data", machine.folder / "out" / "data") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_one_interrupt_ends_a_backup_in_order(machine: Machine, number: signal.Signals) -> None:
    running = start_slow_backup(machine)

    running.signal(number)
    done = running.wait(deadline_s=60)

    assert done.exit_code == 130
    assert done.errors[-1]["code"] == "interrupted"
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    machine.wait_until_quiet()
    assert list((machine.folder / "devices").rglob("*.tmp")) == []
    assert machine.run("snapshots", "--json").rows == []


def test_a_second_interrupt_ends_a_backup_at_once(machine: Machine) -> None:
    running = start_slow_backup(machine)
    for pid in worker_processes(running):
        os.kill(pid, signal.SIGSTOP)

    running.signal(signal.SIGINT)
    eventually(lambda: "stopping" in running.stderr, "the first interrupt is noticed")
    running.signal(signal.SIGINT)

    assert running.wait(deadline_s=10).exit_code == 130
    machine.wait_until_quiet()


def worker_processes(running: Running) -> list[int]:
    workers = [psutil.Process(pid) for pid in running.worker_pids().values()]
    return [process.pid for worker in workers for process in (worker, *worker.children(recursive=True))]


def test_an_interrupt_before_anything_is_stored_is_clean_too(machine: Machine) -> None:
    Tree({"large": noise(2**20)}).make(machine.folder / "data")
    running = machine.start("backup", machine.folder / "data", *machine.devices("a b"), "--json")
    running.wait_for_row(lambda row: row["message_type"] == "worker", "the workers are started")

    running.signal(signal.SIGINT)
    done = running.wait(deadline_s=60)

    # Not before the signal arrived, perhaps.
    assert done.exit_code in (0, 130)
    assert "Traceback" not in done.stderr
    machine.wait_until_quiet()


def test_the_private_broker_outlives_its_first_user_and_ends_with_the_last(machine: Machine) -> None:
    long = start_slow_backup(machine, "a")
    short = machine.run("backup", small_source(machine), *machine.devices("c"))

    assert short.exit_code == 0
    assert broker_pids(machine)
    long.signal(signal.SIGINT)
    assert long.wait().exit_code == 130
    machine.wait_until_quiet()
    assert not (machine.state / "broker" / "broker.sock").exists()


def small_source(machine: Machine) -> Path:
    return Tree({"file": b"1"}).make(machine.folder / "other")


def broker_pids(machine: Machine) -> list[int]:
    return [process.pid for process in machine.processes() if "server" in process.name()]


# ---- nothing of the working folder is run


def test_modules_in_the_working_folder_are_not_imported(machine: Machine) -> None:
    trap = b"raise SystemExit('imported from the working folder')"
    Tree({"workers/__init__.py": trap, "tasks.py": trap, "json.py": trap, "redis.py": trap}).make(machine.folder)

    machine.succeed("backup", small_source(machine), *machine.devices("a"))


# ---- signals


def test_a_terminal_that_goes_away_stops_a_backup_in_order(machine: Machine) -> None:
    running = start_slow_backup(machine)

    # The kernel sends it when the connection drops, and then the shell does.
    running.signal(signal.SIGHUP)
    running.signal(signal.SIGHUP)
    done = running.wait(deadline_s=60)

    assert done.exit_code == 130
    assert done.errors[-1]["code"] == "interrupted"
    machine.wait_until_quiet()
    (run,) = machine.succeed("history", "--json").rows
    assert run["ended"]


def test_a_backup_under_nohup_outlives_its_terminal(machine: Machine) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = machine.start("backup", small_source(machine), *machine.devices("a"), "--json")
    finally:
        signal.signal(signal.SIGHUP, before)
    running.wait_for_row(lambda row: row["message_type"] == "worker", "the worker is started")

    running.signal(signal.SIGHUP)

    assert running.wait(deadline_s=60).exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_imports_ends_the_command_without_a_traceback(
    machine: Machine, number: signal.Signals
) -> None:
    # As if it arrived in the middle of the first import.
    trap = Tree({"click.py": f"import os; os.kill(os.getpid(), {int(number)})".encode()}).make(machine.folder / "trap")
    program = f"import sys; sys.path.insert(0, {str(trap)!r}); from producer.cli.start import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "snapshots"],
        capture_output=True,
        text=True,
        env=machine.environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "segfleet: interrupted\n")


#: A command that interrupts itself at its import number ``moment``, and in the end says how many imports there were.
AT_AN_IMPORT = """
import atexit, os, sys
moment, count = int(sys.argv.pop(1)), 0

def at_import(event, arguments):
    global count
    if event == "import":
        count += 1
        if count == moment:
            os.kill(os.getpid(), 2)

sys.addaudithook(at_import)
atexit.register(lambda: print(count, file=sys.stderr))
from producer.cli.start import main; main()
"""


def test_ctrl_c_at_any_moment_ends_a_command_with_130_and_without_a_traceback(machine: Machine) -> None:
    def run(moment: int) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-P", "-c", AT_AN_IMPORT, str(moment), "snapshots"]
        return subprocess.run(words, capture_output=True, text=True, env=machine.environment(), check=False)

    run(0)  # makes the catalog
    last = int(run(0).stderr.splitlines()[-1])
    # The first imports are those of the command's own first module: it is the interpreter that runs until then.
    for moment in [4, 6, *range(8, last * 5 // 6, last // 5)]:
        done = run(moment)
        assert done.returncode == 130, (moment, done)
        assert "segfleet: interrupted" in done.stderr.splitlines(), (moment, done)
        assert "Traceback" not in done.stderr, (moment, done)
