"""Whether the broker is who it claims to be: which certificates a ``rediss://`` URL accepts."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from tasks.errors import UsageError

CA_VARIABLE = "SEGFLEET_BROKER_CA_CERTS"
SKIP_VARIABLE = "SEGFLEET_BROKER_INSECURE_SKIP_VERIFY"

_REQUIRED = ("required", "cert_required")


def with_certificates(url: str, *, ca_certs: str | None, skip_verify: bool) -> str:
    """``url`` with parameters for what is verified, as kombu and redis-py read them; only rediss:// is changed.

    The certificate must be signed by an authority in the file ``ca_certs`` (None: one that the system trusts), for the
    host that the URL names.  With ``skip_verify`` any certificate is accepted.  Raises UsageError for a URL that turns
    the verification off by itself.
    """
    if not _is_tls(url):
        return url
    address, _, query = url.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if skip_verify:
        parameters |= {"ssl_cert_reqs": "none", "ssl_check_hostname": "false"}
    else:
        _refuse_turned_off(parameters)
        parameters["ssl_cert_reqs"] = "required"
        if ca_certs:
            parameters.setdefault("ssl_ca_certs", ca_certs)
    return f"{address}?{urlencode(parameters, safe='/')}"


def is_unverified(url: str) -> bool:
    """Whether anybody between here and the broker can pose as it, although the connection is encrypted."""
    return _is_tls(url) and "ssl_cert_reqs=none" in url


def _refuse_turned_off(parameters: dict[str, str]) -> None:
    is_required = parameters.get("ssl_cert_reqs", "required").lower() in _REQUIRED
    if not is_required or parameters.get("ssl_check_hostname", "true").lower() == "false":
        raise UsageError(
            "the broker's url turns off the verification of its certificate",
            hint=f"name the authority: ssl_ca_certs in [broker], or {CA_VARIABLE}; or, where anybody may pose as the "
            f"broker and get the password, write insecure-skip-verify = true, or {SKIP_VARIABLE}=1",
        )


def _is_tls(url: str) -> bool:
    return url.lower().startswith("rediss://")
