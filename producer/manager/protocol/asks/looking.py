"""What is asked of commands that show something and change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from producer.manager.protocol.asks.bounds import Amount, Name, Number, Patterns, Text, Word


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStats:
    volume: Name | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskSnapshots:
    volume: Name | None = None
    tag: Patterns = ()
    last: Number | None = None
    since: Text | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskLog:
    #: A run, or a volume.
    run: Name | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStatus:
    #: The volume of ``max_age``.
    name: Name | None = None
    max_age: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskEntries:
    """The options that choose entries, and show them."""

    type: Patterns = ()
    size: Patterns = ()
    oldest: Text | None = None
    newest: Text | None = None
    long: bool = False
    human_readable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskLs(AskEntries):
    snapshot: Word
    path: Text | None = None
    recursive: bool = False
    include: Patterns = ()
    exclude: Patterns = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AskFind(AskEntries):
    pattern: Word
    snapshot: Word | None = None
    ignore_case: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDiff:
    before: Word
    after: Word
    metadata: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskHistory:
    volume: Name | None = None
    keep: Amount | None = None
    last: Number | None = None
    since: Text | None = None
    failed: bool = False
    timing: bool = False
