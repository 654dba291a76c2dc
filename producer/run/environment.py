"""Where a run keeps its state, as far as it is not part of what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from producer.dispatch.limits import Limits
from producer.host.state import StateFolder

if TYPE_CHECKING:
    from producer.fleet.spawn import FirstWorkers
    from producer.raw.quiesce.hooks import Hooks


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    state: StateFolder
    #: None: the private server of the state folder.
    broker_url: str | None = None
    #: None: the SQLite file of the state folder.
    catalog_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    #: Whether the workers of the run send the events that Flower shows.
    events: bool = False
    #: Volume → the commands around its backup.
    hooks: Mapping[str, Hooks] = field(default_factory=dict)
    #: Device name → bytes a second, for devices that must not be used at full speed.
    max_rates: Mapping[str, int] = field(default_factory=dict)
    #: Devices that throw segments away; for benchmarks.
    discarding: frozenset[str] = frozenset()
    #: The manager on whose behalf this process runs; "" when a person does.
    manager: str = ""
    #: The run's id, when it has been given out already.
    run_id: str = ""
    #: Made before the run, which has nothing else to wait for then; for the devices of the run's request.
    first_workers: FirstWorkers | None = None

    @property
    def catalog(self) -> str:
        return self.catalog_url or self.state.catalog_url
