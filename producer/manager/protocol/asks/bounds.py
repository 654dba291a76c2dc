"""What a field of an ask may hold."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

#: What stands behind "--" in the call.  It begins with no "-" all the same: two guards are better than one.
Word = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-][^\x00]*$")]
Text = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
#: A size or a share.  What it means, and whether it fits, the command checks.
Amount = Annotated[str, Meta(max_length=40, pattern=r"^[0-9][0-9A-Za-z./% ]*$")]
#: As an amount, or all.
Share = Annotated[str, Meta(max_length=40, pattern=r"^([0-9][0-9A-Za-z./% ]*|unlimited)$")]
#: How many snapshots to keep.
Count = Annotated[str, Meta(pattern=r"^([0-9]{1,9}|unlimited)$")]
Number = Annotated[int, Meta(ge=-(2**31), le=2**63 - 1)]

Sources = Annotated[tuple[Word, ...], Meta(max_length=256)]
#: With 4,096 characters each they still fit into one message (:mod:`producer.manager.mailbox`).
Patterns = Annotated[tuple[Text, ...], Meta(max_length=1000)]
#: Absolute: a master does not know the manager's working folder.
MountPoints = Annotated[tuple[Annotated[str, Meta(max_length=4096, pattern=r"^/[^\x00]*$")], ...], Meta(max_length=64)]
