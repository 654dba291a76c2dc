"""Commands that a volume's configuration runs around its backup, such as making and removing an LVM snapshot.

``post`` runs whenever ``pre`` has begun: after success, failure and Ctrl-C, and at the start of the next backup after a
crash, or a signal that broke it off.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from producer.host.signals import first_signal_held
from producer.host.state import StateFolder
from producer.raw.quiesce.duties import Duties
from tasks.errors import SegfleetError

DEFAULT_LIMIT_S = 300.0

#: Between SIGTERM and SIGKILL for a command that took too long.
_GRACE_S = 10.0


class HookError(SegfleetError):
    code = "hook"
    hint = "its output is above; see [volumes.NAME] in the configuration"


class Hooks(Struct, frozen=True, kw_only=True):
    """Shell commands, "" for none; each may take ``limit_s``."""

    volume: str
    pre: str = ""
    post: str = ""
    on_success: str = ""
    on_partial: str = ""
    on_failure: str = ""
    limit_s: float = DEFAULT_LIMIT_S


@contextmanager
def hooks_run(hooks: Hooks | None, state: StateFolder) -> Iterator[None]:
    """Finish the duties of earlier runs, then run the block between ``pre`` and ``post``.

    Raises HookError when ``pre`` fails, with nothing backed up, and when ``post`` fails after a block that succeeded.
    """
    duties = Duties(state)
    duties.finish_old(_run_post)
    if hooks is None:
        yield
        return
    duty = {"kind": "post", "volume": hooks.volume, "command": hooks.post, "limit_s": hooks.limit_s}
    with duties.remember(duty) as leave:
        try:
            _run(hooks.volume, "pre", hooks.pre, hooks.limit_s)
            yield
        except BaseException:
            with suppress(HookError):  # the error of the block is more important
                _run_whole_post(hooks, leave)
            raise
        # The backup is done and recorded: who ends the process now does not undo that, and ``post`` is still owed.
        with first_signal_held():
            _run_whole_post(hooks, leave)


def _run_whole_post(hooks: Hooks, leave: Callable[[], None]) -> None:
    try:
        _run(hooks.volume, "post", hooks.post, hooks.limit_s)
    except HookError:
        raise
    except BaseException:
        leave()
        raise


def _run_post(duty: dict[str, Any]) -> None:
    with suppress(HookError):
        _run(duty["volume"], "post", duty["command"], duty["limit_s"])


def run_after(hooks: Hooks, kind: Literal["success", "partial", "failure"], variables: Mapping[str, str]) -> None:
    """Run the command for a backup that ended so, with further environment variables; raises HookError."""
    commands = {"success": hooks.on_success, "partial": hooks.on_partial, "failure": hooks.on_failure}
    _run(hooks.volume, f"on-{kind}", commands[kind], hooks.limit_s, variables)


def _run(
    volume: str, name: str, command: str, limit_s: float, variables: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Run one command; its output goes to standard error, so that standard output stays for JSON."""
    if not command:
        return
    environment = {**os.environ, "SEGFLEET_VOLUME": volume, "SEGFLEET_HOOK": name, **variables}
    hook = _Hook(command, environment)
    try:
        code = hook.wait(limit_s)
    except subprocess.TimeoutExpired:
        hook.end()
        raise HookError(f"volume {volume}: the {name} command took longer than {limit_s:.0f} s: {command}") from None
    except BaseException:
        hook.end()
        raise
    if code:
        raise HookError(f"volume {volume}: the {name} command ended with {code}: {command}")


class _Hook(Thread):
    """A command, started in a thread: a signal is raised in the main one, where it may come in the middle of Popen.

    So whenever it comes, :meth:`end` knows whether there is a process.
    """

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        super().__init__(name="hook")
        self._command, self._environment = command, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        # Not join(): one that a signal breaks off takes the thread for ended in Python 3.11.
        self._has_begun = Event()

    def run(self) -> None:
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", self._command],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env=self._environment,
                # A session of its own: Ctrl-C must not end `post`, and a command that takes too long is ended with
                # its children.
                start_new_session=True,
            )
        except OSError as error:
            self._error = error
        finally:
            self._has_begun.set()

    def wait(self, limit_s: float) -> int:
        """Run it; returns its exit code.  Raises OSError, subprocess.TimeoutExpired."""
        self.start()
        self._has_begun.wait()
        if self._process is None:
            raise self._error or OSError("the command did not start")
        return self._process.wait(limit_s)

    def end(self) -> None:
        """End it with its children, if it has begun."""
        self._has_begun.wait(_GRACE_S)
        if self._process is not None:
            _end(self._process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return
