"""The page as HTML that needs nothing else: no script, no picture, no font from anywhere."""

from __future__ import annotations

import hashlib
import platform
from base64 import b64encode
from collections.abc import Sequence
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tornado.template import Loader

from producer.configuration.values.ages import format_age
from producer.host.safe_text import escaped
from producer.monitor.page.device_rows import device_cells
from producer.monitor.page.drawing import HUES_COUNT, hue, minutes_chart, stored_chart
from producer.monitor.page.history import Past
from producer.monitor.page.rates import Rates
from producer.monitor.page.rows import RunCells, other_cells, run_cells, running_cells, volume_cells
from producer.monitor.survey import Survey
from producer.monitor.verdict import Problem

_FOLDER = Path(__file__).parent
#: How often a browser asks again: while something runs, and else.
_REFRESH_RUNNING_S, _REFRESH_IDLE_S = 5, 60


@cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """The content security policy: nothing but the style in the page, allowed by its digest."""
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _loader() -> Loader:
    # Tornado escapes every value unless the template says raw.
    return Loader(str(_FOLDER))


def render(template: str, *, title: str, refresh_s: int = 0, is_served: bool = True, **values: Any) -> bytes:
    """A page for the whole frame; ``is_served``: its policy goes into a header, and links lead to other pages."""
    frame = {"title": title, "refresh_s": refresh_s, "is_served": is_served, "style": _style()}
    return _loader().load(template).generate(policy="" if is_served else policy(), **frame, **values)


def page_html(
    survey: Survey, found: Past, release: str, *, rates: Rates | None = None, is_served: bool = True
) -> bytes:
    """``rates``: None for a page that is made once."""
    history = found.days
    names = [row.name for row in survey.devices][:HUES_COUNT]
    refresh_s = _REFRESH_RUNNING_S if survey.running or survey.others else _REFRESH_IDLE_S
    return render(
        "page.html",
        title=f"segfleet: {survey.verdict.colour}",
        refresh_s=refresh_s if is_served else 0,
        is_served=is_served,
        host=escaped(platform.node()),
        at=f"{survey.at.astimezone():%Y-%m-%d %H:%M:%S}",
        zone=f"{survey.at.astimezone():%Z}",
        release=release,
        verdict=survey.verdict,
        sentence=escaped(survey.verdict.sentence),
        problems=[_problem(problem) for problem in survey.verdict.problems],
        running=[running_cells(survey, run, rates) for run in survey.running],
        others=[other_cells(survey, run) for run in survey.others],
        volumes=[volume_cells(survey, row, found.strips.get(row.volume), history) for row in survey.volumes],
        last_check=_last_check(survey),
        never_checked=survey.last_check is None,
        devices=[device_cells(survey, row, history) for row in survey.devices],
        agents=_agents(survey),
        history=_history(found, tuple(names), is_served),
        strip_legend=_legend(("done", "partial", "failed", "interrupted", "none"), last="no backup"),
        fill_legend=_legend(("ours", "other", "rest"), last="free"),
    )


@lru_cache(maxsize=1)
def _history(found: Past, names: tuple[str, ...], is_served: bool) -> bytes:
    """The section of the history: made anew only when it has changed."""
    template = _loader().load("history.html")
    return template.generate(
        is_served=is_served,
        runs=[_run_row(run_cells(run, found.processes), is_served) for run in found.runs],
        stored_chart=stored_chart(found.days, names),
        minutes_chart=minutes_chart(found.days),
        device_legend="".join(_legend_item(hue(name, names), name) for name in names),
    )


@lru_cache(maxsize=200)
def _run_row(row: RunCells, is_served: bool) -> bytes:
    """Of the runs that are shown, a new one is drawn, and the others are known from earlier looks."""
    return _loader().load("run.html").generate(row=row, is_served=is_served)


def _problem(problem: Problem) -> Problem:
    return replace(problem, reason=escaped(problem.reason), remedy=escaped(problem.remedy))


def _last_check(survey: Survey) -> str:
    last = survey.last_check
    if last is None:
        return "Nothing has been checked yet:"
    outcome = "found no error" if last.exit_code == 0 else f"ended with exit code {last.exit_code}"
    return f"The last check was {format_age(survey.at - last.started_at)} ago and {outcome}."


def _agents(survey: Survey) -> str:
    if survey.fleet is None:
        return ""
    if not survey.fleet.is_broker_up:
        return "The broker does not answer."
    return f"Workers at the broker: {', '.join(escaped(lease.worker) for lease in survey.fleet.leases) or 'none'}."


def _legend(names: Sequence[str], *, last: str) -> str:
    return "".join(_legend_item(name, last if name == names[-1] else name) for name in names)


def _legend_item(name: str, text: str) -> str:
    box = f'<svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{name}" width="10" height="10" rx="2"/></svg>'
    return f"<span>{box}{escape(text)}</span>"
