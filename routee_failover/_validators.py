"""What each kind of setting has to be: the checks and converters behind `Config`, and the words of their refusals.

They stand apart so that `Config` reads as the list of settings that it is. No refusal quotes a value.
"""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import attrs

from .errors import InvalidConfig
from .events import Observer
from .outcomes import StatusRule, StatusTable
from .secret import Secret, SecretMapping

EXAMPLE_PROXY_URL = "http://proxy.example:3128"
EXAMPLE_CALLBACK_URL = "https://login.example.com/routee"


def as_secret(value: str | Secret) -> Secret:
    """A text as a `Secret`."""
    return Secret(value) if isinstance(value, str) else value


def strip_trailing_slash(value: Any) -> Any:
    """The address without its closing slash; whatever cannot be one is left for the check."""
    return value.rstrip("/") if isinstance(value, str) else value


def as_secret_mapping(value: Any) -> SecretMapping:
    """A mapping that does not show its values, with a copy of what was given."""
    return SecretMapping(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value


def as_tuple(value: Any) -> Any:
    """A list as a tuple, which stays as it is."""
    return tuple(value) if isinstance(value, list | tuple) else value


def callable_name(function: object) -> str:
    """What a callable is called. Its `repr` may show what it was bound to, and that may be a key."""
    return "None" if function is None else str(getattr(function, "__qualname__", type(function).__name__))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _parts(name: str, value: object, example: object) -> tuple[SplitResult, str]:
    """An address in parts, and its host."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = parts.hostname if parts else None
        _ = parts.port if parts else None
    except ValueError:
        parts = host = None
    plain = isinstance(value, str) and re.fullmatch(r"[!-~]+", value)
    if not plain or parts is None or not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise InvalidConfig(f"{name} must be an address such as {example}")
    return parts, host


def _holds_credentials(parts: SplitResult) -> bool:
    return parts.username is not None or parts.password is not None


def check_routee_url(_config: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    """An address of Routee's: https, or http to this machine itself, and no credentials in it."""
    instead = "; give application_id and application_secret instead"
    _check_private(attribute.name, value, attribute.default, "the key and every PIN", instead)


def check_callback_url(_signer: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    """An address of ours that Routee calls: https, or http to this machine itself, and no credentials in it."""
    _check_private(attribute.name, value, EXAMPLE_CALLBACK_URL, "every callback, and the signature,")


def _check_private(name: str, value: object, example: object, readable: str, instead: str = "") -> None:
    parts, host = _parts(name, value, example)
    if _holds_credentials(parts):
        raise InvalidConfig(f"{name} must not hold credentials{instead}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidConfig(f"{name} must be https: over plain http {readable} would be readable on the way")


def check_proxy_url(config: Any, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A proxy's address, to which nothing is entrusted that it could read elsewhere than on this machine."""
    name = attribute.name
    parts, host = _parts(name, value, EXAMPLE_PROXY_URL)
    if _holds_credentials(parts):
        raise InvalidConfig(f"{name} must not hold credentials; give them in proxy_headers, as Proxy-Authorization")
    if parts.path:
        raise InvalidConfig(f"{name} must be an address such as {EXAMPLE_PROXY_URL}")
    plain = [url for url in ("api_url", "auth_url") if urlsplit(getattr(config, url)).scheme == "http"]
    if plain and not _is_loopback(host):
        raise InvalidConfig(
            f"{name} must be on this machine where {plain[0]} is http: it would read the key and every PIN"
        )


def check_positive_duration(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A timedelta of more than nothing."""
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidConfig(f"{attribute.name} must be a positive timedelta, such as timedelta(seconds=10)")


def check_positive_int(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidConfig(f"{attribute.name} must be a whole number of at least 1")


def check_rate(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A number above 0 that is finite."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise InvalidConfig(f"{attribute.name} must be a number of requests a second, above 0")


def check_fraction(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A share that leaves something."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise InvalidConfig(f"{attribute.name} must be a share of at least 0 and below 1")


def check_bool(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """True or False, and nothing that is only like it."""
    if not isinstance(value, bool):
        raise InvalidConfig(f"{attribute.name} must be True or False")


def check_status_rules(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Lines that a `StatusTable` takes."""
    if not isinstance(value, Mapping):
        raise InvalidConfig(f'{attribute.name} must be a mapping such as {{"502": StatusRule(Outcome.REJECTED)}}')
    StatusTable(cast("Mapping[str, StatusRule]", value))


def check_observers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Objects that can be told an event."""
    if not isinstance(value, tuple) or not all(isinstance(observer, Observer) for observer in value):
        raise InvalidConfig(f"{attribute.name} must be objects with an observe(event) method")


def check_credential(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Text of one line that says something."""
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise InvalidConfig(f"{attribute.name} must be the text that Routee's platform shows for the application")
    if attribute.name == "application_id" and ":" in text:
        raise InvalidConfig("application_id must not hold a colon: that is what parts it from the secret on the wire")


_is_header_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_OF_THE_CLIENT = frozenset({"authorization", "content-type", "content-length", "host", "transfer-encoding"})


def _check_headers(setting: str, value: object, elsewhere: Mapping[str, str]) -> None:
    """Names and texts of one line; `elsewhere` says of some names where they belong instead."""
    if not isinstance(value, Mapping):
        raise InvalidConfig(f"{setting} must be a mapping of header names to texts")
    for name, text in cast("Mapping[object, object]", value).items():
        if not (isinstance(name, str) and _is_header_name(name) and isinstance(text, str) and text.isprintable()):
            raise InvalidConfig(f"{setting} must map header names to texts of one line")
        if name.lower() in elsewhere:
            raise InvalidConfig(f"{setting}: {name} {elsewhere[name.lower()]}")
        if name.lower() in _OF_THE_CLIENT:
            raise InvalidConfig(f"{setting}: {name} is set by the client itself")


def check_headers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Headers for Routee."""
    _check_headers(attribute.name, value, {"proxy-authorization": "is not for Routee; give it in proxy_headers"})


def check_proxy_headers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Headers for the proxy."""
    _check_headers(attribute.name, value, {"authorization": "is Routee's; a proxy's own is called Proxy-Authorization"})


def check_tls(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A context for clients, which verifies whom it talks to."""
    if not isinstance(value, ssl.SSLContext):
        raise InvalidConfig(f"{attribute.name} must be an ssl.SSLContext, such as ssl.create_default_context() makes")
    if value.protocol == ssl.PROTOCOL_TLS_SERVER or value.verify_mode == ssl.CERT_NONE:
        raise InvalidConfig(
            f"{attribute.name} must be a context for clients that verifies the server's certificate: "
            "without that, the key and every PIN could be read on the way"
        )


def check_resolver_factory(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """What makes a resolver, not a resolver."""
    if not callable(value):
        raise InvalidConfig(
            f"{attribute.name} must be a callable that makes a resolver, such as aiohttp.AsyncResolver: "
            "each event loop needs one of its own"
        )


def check_session_factory(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """What makes a session, not a session."""
    if not callable(value):
        raise InvalidConfig(
            f"{attribute.name} must be a callable that makes an aiohttp.ClientSession of what it is given: "
            "each event loop needs one of its own"
        )
