"""A mail server and a web server that keep what they get."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail and every password."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.mails: list[EmailMessage] = []
        self.logins: list[str] = []
        #: Answer to a message; 250 takes it.
        self.code = 250
        #: A mail with this text waits for ``may_go_on``.
        self.held = ""
        self.is_holding, self.may_go_on = threading.Event(), threading.Event()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]).partition(": ")[2] for mail in self.mails]


class _MailHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast(MailServer, self.server)
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.partition(" ")[0].upper()
            if word == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                server.logins.append(line)
                self._say("235 welcome")
            elif word == "DATA":
                self._say("354 go on")
                content = b"".join(iter(self.rfile.readline, b".\r\n"))
                if server.held and server.held.encode() in content:
                    server.is_holding.set()
                    server.may_go_on.wait()
                if server.code == 250:
                    server.mails.append(email.message_from_bytes(content, EmailMessage, policy=email.policy.default))
                self._say(f"{server.code} so be it")
            elif word == "QUIT":
                return self._say("221 bye")
            else:
                self._say("250 ok")
        return None

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class WebServer(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebHandler)
        #: Path and body of each request.
        self.requests: list[tuple[str, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _WebHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast(WebServer, self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        server.requests.append((self.path, body))
        self.send_response(server.status)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Says nothing."""


@contextmanager
def mail_server() -> Iterator[MailServer]:
    with _served(MailServer()) as server:
        yield cast(MailServer, server)


@contextmanager
def web_server() -> Iterator[WebServer]:
    with _served(WebServer()) as server:
        yield cast(WebServer, server)


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[socketserver.BaseServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
