from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from producer.cli.call import BROKER_VARIABLE, Call
from producer.configuration.certificates import CA_VARIABLE, SKIP_VARIABLE, is_unverified, with_certificates
from producer.configuration.reading import parse_configuration
from tasks.broker.connections import verified
from tasks.errors import UsageError


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@pytest.mark.parametrize("url", ["redis://:p@host/0", "redis+socket:///run/x.sock?virtual_host=1"])
def test_urls_without_tls_stay_as_they_are(url: str) -> None:
    assert with_certificates(url, ca_certs="/ca", skip_verify=False) == url == verified(url)


def test_tls_is_verified_although_the_url_says_nothing() -> None:
    assert parameters(with_certificates("rediss://:p@host/0", ca_certs=None, skip_verify=False)) == {
        "ssl_cert_reqs": "required"
    }
    assert parameters(verified("REDISS://:p@host/0?ssl_certfile=/c")) == {
        "ssl_cert_reqs": "required",
        "ssl_certfile": "/c",
    }


@pytest.mark.parametrize(
    "query",
    ["ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=optional", "ssl_check_hostname=False"],
)
def test_a_url_that_turns_it_off_is_refused_without_its_password(query: str) -> None:
    with pytest.raises(UsageError, match="turns off") as refused:
        with_certificates(f"rediss://:secret@host/0?{query}", ca_certs=None, skip_verify=False)
    assert "secret" not in str(refused.value)
    assert "insecure-skip-verify" in refused.value.hint


def test_one_plain_word_turns_it_off() -> None:
    url = with_certificates("rediss://:p@host/0", ca_certs="/ca", skip_verify=True)
    assert is_unverified(url)
    assert not is_unverified(with_certificates("rediss://:p@host/0", ca_certs="/ca", skip_verify=False))


def test_file_and_environment_name_the_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (BROKER_VARIABLE, CA_VARIABLE, SKIP_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    text = '[broker]\nurl = "rediss://:p@host/0"\nssl_ca_certs = "ca.crt"\n'
    call = Call(configuration=parse_configuration(text, Path("/etc/segfleet/segfleet.toml")))
    assert parameters(call.broker_url or "")["ssl_ca_certs"] == "/etc/segfleet/ca.crt"
    monkeypatch.setenv(CA_VARIABLE, "/other/ca.crt")
    assert parameters(call.broker_url or "")["ssl_ca_certs"] == "/other/ca.crt"
    monkeypatch.setenv(SKIP_VARIABLE, "1")
    assert is_unverified(call.broker_url or "")


def test_the_environments_broker_comes_before_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(configuration=parse_configuration('[broker]\nurl = "redis://file/0"\n', Path("/etc/segfleet.toml")))
    monkeypatch.setenv(BROKER_VARIABLE, "redis://environment/0")
    assert call.broker_url == "redis://environment/0"
