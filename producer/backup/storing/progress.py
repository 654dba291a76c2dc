"""How far a backup is, device by device."""

from __future__ import annotations

from producer.backup.storing.state.state import BackupState
from producer.observer import DeviceProgress, Progress
from producer.pool.members import Member
from producer.run.session import RunSession


def progress_of(session: RunSession, state: BackupState, files_count: int) -> Progress:
    """What is stored, and what the workers report beyond that."""
    devices = {name: _of_device(session, state, member) for name, member in state.members.items()}
    return Progress(
        phase="storing",
        files_count=files_count,
        bytes_total=sum(device.bytes_planned for device in devices.values()),
        bytes_done=sum(device.bytes_done for device in devices.values()),
        devices=devices,
    )


def _of_device(session: RunSession, state: BackupState, member: Member) -> DeviceProgress:
    share = state.share(member.name)
    moved_bytes = session.courier.liveness.bytes_moved(member.name) if member.is_live else 0
    done_bytes = share.stored_bytes + max(0, moved_bytes - share.recorded_bytes)
    return DeviceProgress(
        bytes_planned=share.load_bytes,
        bytes_done=min(done_bytes, share.load_bytes),
        segments_planned=share.load_count,
        segments_done=share.stored_count,
        state=member.state,
    )
