"""The environment of a run: where it keeps its state, which servers it uses, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from producer.dispatch.limits import Limits
from producer.host.patience import NO_PATIENCE, Patience
from producer.host.state import StateFolder
from producer.observer import OnFile

if TYPE_CHECKING:
    from producer.fleet.spawn import FirstWorkers
    from producer.raw.quiesce.hooks import Hooks
    from producer.walk import EarlyScan


class Environment(Struct, frozen=True, kw_only=True):
    state: StateFolder
    #: None: the private server of the state folder.
    broker_url: str | None = None
    #: None: the SQLite file of the state folder.
    catalog_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    #: How long to wait for what another run holds.
    patience: Patience = NO_PATIENCE
    #: Whether the workers of the run send events for Flower.
    events: bool = False
    #: Volume → the commands to run before and after its backup.
    hooks: Mapping[str, Hooks] = field(default_factory=dict)
    #: Device name → bytes per second, for devices that must not be used at full speed.
    max_rates: Mapping[str, int] = field(default_factory=dict)
    #: Devices that discard segments; for benchmarks.
    discarding: frozenset[str] = frozenset()
    #: Device name → where it stands.
    sites: Mapping[str, str] = field(default_factory=dict)
    #: Devices whose workers delete nothing.
    append_only: frozenset[str] = frozenset()
    #: Configured device → whether it may be away.
    rotating: Mapping[str, bool] = field(default_factory=dict)
    #: The manager that started this process; "" if a person did.
    manager: str = ""
    #: The run's id, if the manager chose it.
    run_id: str = ""
    #: Gets the files that a backup finds new, changed or moved.
    on_file: OnFile | None = None
    #: The process for the workers of the run's devices, if it is to be started before the run.
    first_workers: FirstWorkers | None = None

    #: Of a source of the backup, if the walk need not wait for anything.
    early_scan: EarlyScan | None = None

    def begin_workers(self) -> None:
        """Call it when the modules of the run are imported: workers are forked from this process, and find them."""
        if self.first_workers is not None:
            self.first_workers.begin()

    @property
    def catalog(self) -> str:
        return self.catalog_url or self.state.catalog_url
