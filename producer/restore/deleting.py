"""``--delete``: finds what the restored folders hold and the snapshot does not, and has it removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from producer.requests import RestoreRequest
from producer.restore.outcome.failed import failed
from producer.restore.outcome.outcome import Outcome
from producer.restore.planning.folder_names import in_orders, questions
from producer.restore.planning.selection import Selection
from producer.restore.planning.surplus import SurplusTree
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DeviceError, TargetError
from tasks.orders import Order
from tasks.orders.target_looks import FindSurplus, FolderNames, SurplusResult
from tasks.receipts import Receipt

#: A folder of the target, with the names that the snapshot has there.
Named = tuple[str, list[str]]


class Deleting:
    """``device`` answers: any worker can look at the target."""

    def __init__(
        self,
        session: RunSession,
        request: RestoreRequest,
        device: tuple[str, str],
        selection: Selection,
        outcome: Outcome,
    ) -> None:
        self._session = session
        self._request = request
        self._device_id, self._device = device
        self._selection = selection
        self._outcome = outcome
        self._elsewhere_count = 0

    def refuse_foreign(self, folders: Iterable[Named]) -> None:
        """Raises TargetError for a folder at the top that holds something, and nothing of what the snapshot has there.

        That is another folder than the one that was backed up, and all in it would be removed.
        """
        for path, names in folders:
            if "/" in path or (path and self._selection.path):
                continue
            tree, common_count = self._tree(), 0
            for result in self._ask(questions([(path, names)]), tree, deeper=False):
                common_count += result.common_count
            if not common_count and tree.removable():
                raise TargetError(
                    f"--delete would remove all that is in {path or 'the target'}: it holds nothing of the snapshot",
                    hint="is it the right folder?  Restore without --delete, or empty it first",
                    path=path,
                )

    def find(self, folders: Iterable[Named]) -> list[tuple[str, bool]]:
        """What is to be removed, the deepest first, and whether each is a folder.  Reports what cannot be looked at."""
        tree = self._tree()
        for _ in self._ask(questions(folders), tree, deeper=True):
            pass
        if self._elsewhere_count:
            self._session.observer.note(
                f"nothing is removed in {self._elsewhere_count} folders that lie on other file systems"
            )
        return tree.removable()

    def _tree(self) -> SurplusTree:
        return SurplusTree(selection=self._selection, kept=self._request.own_places)

    def _ask(self, asked: Iterable[FolderNames], tree: SurplusTree, *, deeper: bool) -> Iterator[SurplusResult]:
        """Ask until all is answered, and with ``deeper`` about the folders that are found, too."""
        pending: Iterable[FolderNames] = asked
        while True:
            rest: list[FolderNames] = []
            for order, result in self._wave(pending):
                rest += _rest_of(order, result)
                self._take(result, tree if deeper else None)
                below = tree.add(result.found)
                rest += [FolderNames(path=path) for path in below] if deeper else []
                yield result
            if not rest:
                return
            pending = rest

    def _wave(self, asked: Iterable[FolderNames]) -> list[tuple[FindSurplus, SurplusResult]]:
        answers: list[tuple[FindSurplus, SurplusResult]] = []

        def take(order: Order, receipt: Receipt) -> None:
            assert isinstance(order, FindSurplus)
            if receipt.failure is not None:
                raise failed(receipt.failure)
            answers.append((order, receipt.result))

        orders = (self._order(folders) for folders in in_orders(asked))
        for device, why in run_wave(self._session, {self._device: orders}, take).items():
            raise DeviceError(f"device {device} died while it looked at the target: {why}", hint="run it again")
        return answers

    def _order(self, folders: tuple[FolderNames, ...]) -> FindSurplus:
        return FindSurplus(
            order_id=uuid.uuid4().hex,
            target=self._request.target_name,
            folders=folders,
            **self._session.order_fields(self._device, device_id=self._device_id),
        )

    def _take(self, result: SurplusResult, tree: SurplusTree | None) -> None:
        if tree is None:
            return
        self._elsewhere_count += result.elsewhere_count + sum(found.kind == "mount" for found in result.found)
        for trouble in result.troubles:
            tree.stay(trouble.path)
            message = f"nothing in it is removed: {trouble.message}"
            self._outcome.tell(trouble.path, "not-removed", message, is_lost=False)


def _rest_of(order: FindSurplus, result: SurplusResult) -> list[FolderNames]:
    if result.rest < 0:
        return []
    first, *others = order.folders[result.rest :]
    return [replace(first, after=result.after), *others]
