"""What a plan refuses, before the first byte is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Devices, Offline, backup_request
from kit.tree import Tree
from producer.backup.intake.take_in import take_in
from producer.backup.planning import plan_backup
from producer.catalog.catalog import Catalog
from tasks.errors import UsageError
from tasks.orders import StoreSegment


@pytest.mark.parametrize(("hosts", "is_refused"), [("pqp", True), ("ppp", False)])
def test_parity_over_several_hosts_is_refused_with_their_names(
    catalog: Catalog, tmp_path: Path, hosts: str, is_refused: bool
) -> None:
    sources = {"data": Tree({"a": b"1"}).make(tmp_path / "data")}
    request = backup_request(sources, "a b c")
    request = replace(request, plan=replace(request.plan, parity=1))
    run = Offline(catalog, ["a", "b", "c"], Devices(sources))
    intake = take_in(run.session, request)
    for member, host in zip(intake.members.values(), hosts, strict=True):
        member.host = host

    if is_refused:
        with pytest.raises(UsageError, match="they are on p, q"):
            plan_backup(run.session, request, intake)
    else:
        plan_backup(run.session, request, intake)

    assert not [order for order in run.wires.sent if isinstance(order, StoreSegment)]
