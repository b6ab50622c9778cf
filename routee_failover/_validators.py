"""Validators and converters of settings, used by `Config` and by callback signers and receivers.

Separate from `Config`, so that it reads as a plain list of settings. Each validator raises `InvalidConfig`, whose text
names the setting and never quotes its value.
"""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import attrs

from ._hooks import hook_problem
from .errors import InvalidConfig
from .events import Observer
from .outcomes import StatusRule, StatusTable
from .secret import Secret, SecretMapping

EXAMPLE_PROXY_URL = "http://proxy.example:3128"
EXAMPLE_CALLBACK_URL = "https://login.example.com/routee"


def as_secret(value: str | Secret) -> Secret:
    """Convert a text to a `Secret`."""
    return Secret(value) if isinstance(value, str) else value


def strip_trailing_slash(value: Any) -> Any:
    """Remove trailing slashes of a URL; other types are left to the validator."""
    return value.rstrip("/") if isinstance(value, str) else value


def as_secret_mapping(value: Any) -> SecretMapping:
    """Copy a mapping into a `SecretMapping`; other types are left to the validator."""
    return SecretMapping(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value


def as_tuple(value: Any) -> Any:
    """Convert a list to a tuple; other types are left to the validator."""
    return tuple(value) if isinstance(value, list | tuple) else value


def callable_name(function: object) -> str:
    """Return the name of a callable. Its `repr` could show bound arguments, a key for example."""
    return "None" if function is None else str(getattr(function, "__qualname__", type(function).__name__))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _parse_url(name: str, value: object, example: object) -> tuple[SplitResult, str]:
    """Return the parts of a URL, and its host."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = parts.hostname if parts else None
        _ = parts.port if parts else None
    except ValueError:
        parts = host = None
    is_ascii = isinstance(value, str) and re.fullmatch(r"[!-~]+", value)
    if (
        not is_ascii
        or parts is None
        or not host
        or parts.scheme not in {"http", "https"}
        or parts.query
        or parts.fragment
    ):
        raise InvalidConfig(f"{name} must be a URL such as {example}")
    return parts, host


def _has_credentials(parts: SplitResult) -> bool:
    return parts.username is not None or parts.password is not None


def check_routee_url(_config: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    """Check a URL of Routee's: https, or http to this machine itself, without credentials."""
    advice = "; give application_id and application_secret instead"
    _check_https_url(attribute.name, value, attribute.default, "the key and every PIN", advice)


def check_callback_url(_signer: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    """Check a URL that Routee calls back: https, or http to this machine itself, without credentials."""
    _check_https_url(attribute.name, value, EXAMPLE_CALLBACK_URL, "every callback, and the signature,")


def _check_https_url(name: str, value: object, example: object, exposed: str, advice: str = "") -> None:
    parts, host = _parse_url(name, value, example)
    if _has_credentials(parts):
        raise InvalidConfig(f"{name} must not contain credentials{advice}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidConfig(f"{name} must be https: over plain http {exposed} would be readable on the way")


def check_proxy_url(config: Any, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check the URL of a proxy. A proxy on another machine must not be able to read anything: see the last check."""
    name = attribute.name
    parts, host = _parse_url(name, value, EXAMPLE_PROXY_URL)
    if _has_credentials(parts):
        raise InvalidConfig(f"{name} must not contain credentials; give them in proxy_headers, as Proxy-Authorization")
    if parts.path:
        raise InvalidConfig(f"{name} must be a URL such as {EXAMPLE_PROXY_URL}")
    http_urls = [url for url in ("api_url", "auth_url") if urlsplit(getattr(config, url)).scheme == "http"]
    if http_urls and not _is_loopback(host):
        raise InvalidConfig(
            f"{name} must be on this machine because {http_urls[0]} is http: it would read the key and every PIN"
        )


def check_positive_duration(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a `timedelta` above zero."""
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidConfig(f"{attribute.name} must be a positive timedelta, such as timedelta(seconds=10)")


def check_positive_int(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidConfig(f"{attribute.name} must be a whole number of at least 1")


def check_rate(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a finite number above 0, per second."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise InvalidConfig(f"{attribute.name} must be a number of requests a second, above 0")


def check_fraction(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a share of at least 0 and below 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise InvalidConfig(f"{attribute.name} must be a share of at least 0 and below 1")


def check_bool(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for True or False; no other value counts as one."""
    if not isinstance(value, bool):
        raise InvalidConfig(f"{attribute.name} must be True or False")


def check_status_rules(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for valid overrides of `STATUS_RULES`."""
    if not isinstance(value, Mapping):
        raise InvalidConfig(f'{attribute.name} must be a mapping such as {{"502": StatusRule(Outcome.REJECTED)}}')
    StatusTable(cast("Mapping[str, StatusRule]", value))


def check_observers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a tuple of objects with an `observe` method."""
    if not isinstance(value, tuple) or not all(
        isinstance(observer, Observer) and not isinstance(observer, type) for observer in value
    ):
        raise InvalidConfig(f"{attribute.name} must be objects with an observe(event) method")
    for observer in value:
        check_hook(f"the observe method of {type(observer).__name__}", observer.observe)


def check_hook(name: str, hook: object) -> None:
    """Check for a function that can be called without `await`."""
    problem = hook_problem(hook)
    if problem is not None:
        raise InvalidConfig(f"{name} {problem}")


def check_credential(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for one line of text that is not blank, in a `Secret` or not."""
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise InvalidConfig(f"{attribute.name} must be the text that Routee's platform shows for the application")
    if attribute.name == "application_id" and ":" in text:
        raise InvalidConfig("application_id must not contain a colon: it separates the id from the secret in a request")


_is_header_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_RESERVED_HEADERS = frozenset({"authorization", "content-type", "content-length", "host", "transfer-encoding"})


def _check_headers(setting: str, value: object, misplaced: Mapping[str, str]) -> None:
    """Check header names and values; `misplaced` maps a name that belongs elsewhere to the rest of its error text."""
    if not isinstance(value, Mapping):
        raise InvalidConfig(f"{setting} must be a mapping of header names to texts")
    for name, text in cast("Mapping[object, object]", value).items():
        if not (isinstance(name, str) and _is_header_name(name) and isinstance(text, str) and text.isprintable()):
            raise InvalidConfig(f"{setting} must map header names to texts of one line")
        if name.lower() in misplaced:
            raise InvalidConfig(f"{setting}: {name} {misplaced[name.lower()]}")
        if name.lower() in _RESERVED_HEADERS:
            raise InvalidConfig(f"{setting}: {name} is set by the client itself")


def check_headers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check the headers for Routee."""
    _check_headers(attribute.name, value, {"proxy-authorization": "is not for Routee; give it in proxy_headers"})


def check_proxy_headers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check the headers for the proxy."""
    _check_headers(attribute.name, value, {"authorization": "is Routee's; a proxy's own is called Proxy-Authorization"})


def check_tls(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a client context that verifies the certificate of the server."""
    if not isinstance(value, ssl.SSLContext):
        raise InvalidConfig(f"{attribute.name} must be an ssl.SSLContext, such as ssl.create_default_context() makes")
    if value.protocol == ssl.PROTOCOL_TLS_SERVER or value.verify_mode == ssl.CERT_NONE:
        raise InvalidConfig(
            f"{attribute.name} must be a context for clients that verifies the server's certificate: "
            "without that, the key and every PIN could be read on the way"
        )


def _check_factory(name: str, value: object, expected: str) -> None:
    if not callable(value):
        raise InvalidConfig(f"{name} must be a callable that makes {expected}: each event loop needs one of its own")
    check_hook(name, value)


def check_resolver_factory(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a factory of resolvers; a resolver itself belongs to one event loop."""
    _check_factory(attribute.name, value, "a resolver, such as aiohttp.AsyncResolver")


def check_connector_factory(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a factory of connectors; a connector itself belongs to one event loop."""
    _check_factory(attribute.name, value, "an aiohttp connector from its keyword arguments")


def check_session_factory(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Check for a factory of sessions; a session itself belongs to one event loop."""
    _check_factory(attribute.name, value, "an aiohttp.ClientSession from its keyword arguments")
