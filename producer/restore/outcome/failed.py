"""A failure of an order that ends the restore, as an error of this process."""

from __future__ import annotations

from tasks.errors import SegfleetError
from tasks.receipts import Failure


def failed(failure: Failure) -> SegfleetError:
    """The error with the failure's code, message and hint."""
    error = SegfleetError(failure.message, hint=failure.hint)
    error.code = failure.code
    return error
