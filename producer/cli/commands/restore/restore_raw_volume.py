"""``restore`` for raw volumes: the image to a file or device, or files out of an image."""

from __future__ import annotations

import time
from pathlib import Path

from producer.cli.call import Call
from producer.cli.catalog import named_snapshot, opened_catalog
from producer.host.places import is_at_agents
from producer.host.scouting.looks import look
from producer.observer import Observer, Trouble
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.summaries import RestoreSummary
from tasks.errors import TargetNotEmptyError, UsageError


def restore_raw_volume(
    call: Call,
    request: RestoreRequest,
    observer: Observer,
    *,
    path: str,
    into_folder: bool,
    force: bool,
    refused: str,
) -> RestoreSummary | None:
    """Carry out the part of ``restore`` that concerns raw volumes; None when the request is not about one.

    ``path`` as it was written: a slash at the end of a raw volume's name means the files in it.  ``into_folder``: the
    target was written as a folder, so an image goes into it by its name, as any file does.  ``refused``: an option that
    was given and means nothing for an image, or "".
    """
    from producer.restore.image import raw_volume_meant, restore_image
    from producer.restore.image_view import split_path

    try:
        with opened_catalog(call) as catalog:
            snapshot = named_snapshot(catalog, request.snapshot, request.devices)
    except UsageError:
        # The restore of files says so, and what the devices hold instead.
        return None
    inside = split_path(path, {source.name for source in snapshot.sources if source.mode == "raw"})
    if inside is not None:
        _refuse(refused)
        return _take_out(call, request, observer, snapshot.snapshot_id, *inside)
    raw_volume = raw_volume_meant(snapshot, request.path)
    if raw_volume is None or into_folder or look(request.target, Path.is_dir) or _is_folder_of_agents(call, request):
        return None
    _refuse(refused)
    return restore_image(request, raw_volume, observer, call.environment(reads=True), force=force)


def _refuse(option: str) -> None:
    if option:
        raise UsageError(f"{option} is for folders, not for the image of a raw volume", hint="leave it out")


def _is_folder_of_agents(call: Call, request: RestoreRequest) -> bool:
    """Whether agents know the target and this host does not: then it is a folder, as for all that they restore."""
    is_known = request.target_name in call.configuration.targets and look(request.target, Path.exists)
    at_agents = any(map(is_at_agents, request.devices.values()))
    return at_agents and request.target_name != UNNAMED_TARGET and not is_known


def _take_out(
    call: Call, request: RestoreRequest, observer: Observer, snapshot_id: str, raw_volume: str, inside: str
) -> RestoreSummary:
    from producer.restore.image_view import image_view

    started_s = time.monotonic()
    _refuse_unknown_folder(call, request)
    _refuse_full(request.target)
    with image_view(snapshot_id, raw_volume, request.devices, observer, call.environment(reads=True)) as files:
        troubles = files.take_out(inside, request.target)
    for text in troubles:
        observer.trouble(Trouble(code="unreadable", message=text, path=f"{raw_volume}/{inside}"))
    found = [path for path in request.target.rglob("*") if path.is_symlink() or not path.is_dir()]
    return RestoreSummary(
        snapshot_id=snapshot_id,
        files=len(found),
        bytes_restored=sum(path.lstat().st_size for path in found),
        skipped=0,
        errors=len(troubles),
        duration_s=round(time.monotonic() - started_s, 3),
        exit_code=3 if troubles else 0,
    )


def _refuse_unknown_folder(call: Call, request: RestoreRequest) -> None:
    """Raises UsageError on a manager that has no such target: files out of an image are not written by agents."""
    if call.is_on_behalf and request.target_name not in call.configuration.targets:
        raise UsageError(
            f"files from an image are written on the manager's host, which has no target {request.target_name}",
            hint=f"add [targets.{request.target_name}] to the manager's configuration, or restore the whole image",
        )


def _refuse_full(target: Path) -> None:
    if look(target, _holds_something):
        raise TargetNotEmptyError(
            f"the target {target} is not empty",
            hint="restore files from an image into an empty folder",
            path=str(target),
        )


def _holds_something(target: Path) -> bool:
    return target.exists() and any(target.iterdir())
