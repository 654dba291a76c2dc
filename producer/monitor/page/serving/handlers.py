"""The answers of the page: reads only, and nothing without a password but ``/healthz``."""

from __future__ import annotations

import json

from tornado.web import Application

from producer.monitor.metrics.metrics import CONTENT_TYPE, metrics_text
from producer.monitor.page.browsing import folder_html, snapshots_html
from producer.monitor.page.looks import Looks
from producer.monitor.page.render import page_html
from producer.monitor.page.run_log import log_html
from producer.monitor.page.serving.answering import Handler
from producer.monitor.page.serving.api import status_json
from producer.monitor.page.serving.download import Download
from producer.monitor.page.serving.site import Site


def application(site: Site) -> Application:
    places: list[tuple[str, type[Handler]]] = [
        ("/", _Whole),
        ("/api/status", _Status),
        ("/healthz", _Health),
        ("/metrics", _Metrics),
    ]
    places += [("/snapshots", _Snapshots), ("/browse", _Folder), ("/download", Download), ("/log", _Log)]
    return Application(
        [(path, handler, {"site": site}) for path, handler in places],
        default_handler_class=_Missing,
        default_handler_args={"site": site},
        log_function=lambda handler: None,
    )


class _Missing(Handler):
    pass


class _Whole(Handler):
    def answer(self, looks: Looks) -> bytes:
        return page_html(looks.survey(), looks.past(), self.site.release, rates=looks.rates)


class _Status(Handler):
    content_type = "application/json"

    def answer(self, looks: Looks) -> bytes:
        return json.dumps(status_json(looks.survey())).encode() + b"\n"


class _Metrics(Handler):
    content_type = CONTENT_TYPE

    def answer(self, looks: Looks) -> bytes:
        return metrics_text(looks.survey(), self.site.release)


class _Snapshots(Handler):
    def answer(self, looks: Looks) -> bytes:
        return snapshots_html(looks.catalog, self.asked("volume"))


class _Folder(Handler):
    def answer(self, looks: Looks) -> bytes:
        return folder_html(
            looks.catalog,
            self.asked("snapshot"),
            self.asked("path"),
            has_downloads=self.site.downloads is not None,
        )


class _Log(Handler):
    def answer(self, looks: Looks) -> bytes:
        return log_html(looks.past().runs, self.site.logs, self.asked("run"))


class _Health(Handler):
    """Says the colour and nothing else, so that a load balancer or a monitor needs no password."""

    is_open = True
    content_type = "text/plain; charset=utf-8"

    def answer(self, looks: Looks) -> bytes:
        colour = looks.survey().verdict.colour
        if colour == "red":
            self.set_status(503)
        return f"{colour}\n".encode()
