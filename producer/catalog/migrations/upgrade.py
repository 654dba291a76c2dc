"""Runs the migrations on a connection that is inside a transaction."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection


def to_head(connection: Connection) -> None:
    """Bring the tables of ``connection`` to the newest revision; commits nothing."""
    here = config()
    here.attributes["connection"] = connection
    command.upgrade(here, "head")


def knows(revision: str) -> bool:
    """Whether ``revision`` is one of ours; if not, a newer release made it."""
    try:
        return ScriptDirectory.from_config(config()).get_revision(revision) is not None
    except CommandError:
        return False


def config() -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", "producer.catalog:migrations")
    return made
