from pathlib import Path

import pytest
from kombu.utils.url import url_to_parts

from producer.broker.urls import socket_url, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("rediss://me:secret@host:1/0?ssl_cert_reqs=required", "rediss://me:***@host:1/0?ssl_cert_reqs=required"),
        ("redis://me:se/cr#et@x@host/0", "redis://me:***@host/0"),
        ("redis://:sec:ret@host", "redis://:***@host"),
        ("redis+socket://:secret@/run/a.sock", "redis+socket://:***@/run/a.sock"),
        ("redis+socket:///run/a.sock?password=secret&db=1", "redis+socket:///run/a.sock?password=***&db=1"),
        ("rediss://host/0?ssl_keyfile_password=secret", "rediss://host/0?ssl_keyfile_password=***"),
        ("redis://me@host/0", "redis://me@host/0"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_kombu_reads_back_the_socket_path_whatever_characters_it_has() -> None:
    path = Path("/tmp/a b/ü?#%41@x:y/broker.sock")

    scheme, rest = socket_url(path).split("+", 1)

    assert scheme == "redis"
    assert "/" + url_to_parts(rest).path == str(path)
