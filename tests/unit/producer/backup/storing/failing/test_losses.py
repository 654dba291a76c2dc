"""A device that is lost and comes back."""

from __future__ import annotations

import uuid
from pathlib import Path

from kit.models.offline import Devices, Offline, backup_request
from kit.tree import Tree, noise
from producer.backup.storing.failing.losses import Losses
from producer.catalog.catalog import Catalog
from tasks.errors import Reason
from tasks.receipts import Failure, Receipt


def test_of_two_answers_that_come_together_the_second_brings_the_device_back_whatever_the_first_says(
    catalog: Catalog, tmp_path: Path
) -> None:
    source = {"data": Tree({"large": noise(500_000)}).make(tmp_path / "data")}
    run = Offline(catalog, ["a", "b"], Devices(source))
    run.plan(backup_request(source))
    losses, member = Losses(run.session, run.state), run.state.members["a"]
    losses.lose("a", "dead", "its worker ended")
    run.session.courier.bring_back("a")

    def answer(failure: Failure | None) -> Receipt:
        return Receipt(
            task="describe-device",
            run_id="1" * 32,
            order_id=uuid.uuid4().hex,
            device="a",
            device_id=member.device_id,
            epoch=member.epoch,
            attempt=1,
            worker="w",
            result=None if failure else run.devices.reports["a"],
            failure=failure,
        )

    losses.probed(answer(Failure(reason=Reason.DEVICE, code="device", message="Input/output error", hint="")))
    assert "a" not in run.session.courier.live
    losses.probed(answer(None))

    assert member.is_live
    assert "a" in run.session.courier.live
