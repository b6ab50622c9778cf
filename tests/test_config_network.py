"""Config's network settings: what cannot work or would expose a secret is refused, and no error quotes a secret."""

import copy
import functools
import pickle
import ssl
from typing import Any

import aiohttp
import attrs
import pytest
import trustme

from routee_failover.config import Config
from routee_failover.errors import InvalidConfig
from routee_failover.secret import SecretMapping

from .flows.leak_detection import caught, printed, reported

CANARY = "s3cr3tk3y"
REQUIRED: dict[str, Any] = {"application_id": "app", "application_secret": "key"}
ENVIRON = {"ROUTEE_APPLICATION_ID": "app", "ROUTEE_APPLICATION_SECRET": "key"}
SETTINGS = ("proxy", "proxy_headers", "tls", "resolver", "session_factory", "connector_factory")


def _config(**changes: Any) -> Config:
    return Config(**{**REQUIRED, **changes})


def _context(**changes: Any) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def test_network_settings_default_to_none() -> None:
    """By default there is no proxy, and aiohttp's own resolver, session and trust store are used."""
    config = _config()
    assert [getattr(config, name) for name in SETTINGS] == [None, SecretMapping(), None, None, None, None]
    assert {field.name for field in attrs.fields(Config)} >= set(SETTINGS)


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.test:3128",
        "https://proxy.example.test:3129",
        "http://proxy.example.test",
        "http://10.0.0.1:3128",
        "http://[::1]:3128",
        "HTTP://PROXY:1",
    ],
)
def test_http_and_https_proxy_urls_are_accepted(url: str) -> None:
    """A proxy is a URL of http or https; a trailing slash makes no difference."""
    assert _config(proxy=url).proxy == url
    assert _config(proxy=url + "/").proxy == url


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "proxy.example.test:3128",
        "proxy.example.test",
        "socks5://proxy.example.test:1080",
        "http://",
        "http://:3128",
        "http://proxy.example.test:port",
        "http://proxy.example.test:99999",
        "http://proxy.example.test:3128/path",
        "http://proxy.example.test:3128?x=1",
        "http://proxy.example.test:3128#x",
        "http://[::1",
        "http://proxy example.test",
        "http://proxy.example.test\r\nX: y",
        5,
        b"http://proxy.example.test:3128",
        True,
    ],
)
def test_malformed_proxy_url_is_refused_with_an_example(wrong: object) -> None:
    """Any value that is not the URL of a proxy is refused with an example of one."""
    with pytest.raises(InvalidConfig, match=r"^proxy must be a URL such as http://proxy\.example:3128$"):
        _config(proxy=wrong)


@pytest.mark.parametrize("form", ["http://user:{}@proxy.test:3128", "https://{}@proxy.test", "http://:{}@proxy.test"])
def test_proxy_url_credentials_are_refused_and_not_in_the_error(form: str) -> None:
    """The error says where they belong and shows none of them, wherever the URL came from."""
    url = form.format(CANARY)
    for call in (lambda: _config(proxy=url), lambda: Config.from_env({**ENVIRON, "ROUTEE_PROXY": url})):
        error = caught(call)
        assert isinstance(error, InvalidConfig)
        assert str(error) == "proxy must not contain credentials; give them in proxy_headers, as Proxy-Authorization"
        assert CANARY not in reported(error)
        assert CANARY.encode() not in pickle.dumps(error)


@pytest.mark.parametrize("name", ["api_url", "auth_url"])
def test_http_api_url_requires_a_loopback_proxy(name: str) -> None:
    """A proxy on another machine could read plain http, which is allowed only because it stays on this machine."""
    plain_http: dict[str, Any] = {name: "http://localhost:8080"}
    for local in ("http://localhost:3128", "http://127.0.0.1:3128", "http://[::1]:3128", "http://proxy.localhost"):
        assert _config(proxy=local, **plain_http).proxy == local
    for remote in ("http://proxy.example.test:3128", "https://proxy.example.test:3128", "http://10.0.0.1:3128"):
        with pytest.raises(InvalidConfig, match=rf"^proxy must be on this machine because {name} is http"):
            _config(proxy=remote, **plain_http)
        with pytest.raises(InvalidConfig, match=rf"^proxy must be on this machine because {name} is http"):
            attrs.evolve(_config(proxy=remote), **plain_http)


def test_from_env_reads_only_routee_proxy() -> None:
    """ROUTEE_PROXY is the proxy; empty means none, and keyword settings take precedence over the environment."""
    environ = ENVIRON | {"ROUTEE_PROXY": "http://proxy.example.test:3128/"}
    assert Config.from_env(environ).proxy == "http://proxy.example.test:3128"
    assert Config.from_env(environ, proxy=None).proxy is None
    assert Config.from_env(ENVIRON | {"ROUTEE_PROXY": ""}).proxy is None
    others = {"HTTPS_PROXY": "http://other:1", "https_proxy": "http://other:1", "ALL_PROXY": "http://other:1"}
    assert Config.from_env(ENVIRON | others).proxy is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X-A": "a\nb"}, "must map header names to texts of one line"),
        ({"X-A\r\nX-B": "a"}, "must map header names to texts of one line"),
        ({"X-A": 5}, "must map header names to texts of one line"),
        ({5: "a"}, "must map header names to texts of one line"),
        ({"authorization": "a"}, ".*is Routee's; a proxy's own is called Proxy-Authorization"),
        *(
            ({name: "a"}, f".*{name} is set by the client itself")
            for name in ("Content-Type", "content-length", "HOST", "Transfer-Encoding")
        ),
        ([("X-A", "a")], "must be a mapping"),
        (None, "must be a mapping"),
    ],
)
def test_invalid_or_reserved_proxy_headers_are_refused(headers: object, reason: str) -> None:
    """Headers for a proxy are names and values of one line, and none that describes the request."""
    with pytest.raises(InvalidConfig, match=rf"^proxy_headers:? ?{reason}"):
        _config(proxy_headers=headers)


@pytest.mark.parametrize("name", ["Proxy-Authorization", "proxy-authorization"])
def test_proxy_authorization_among_headers_is_refused(name: str) -> None:
    """A header for the proxy is refused among the headers for Routee; the error names where it belongs."""
    with pytest.raises(InvalidConfig, match=rf"^headers: {name} is not for Routee; give it in proxy_headers$"):
        _config(headers={name: CANARY})


def test_repr_shows_proxy_header_names_but_no_values() -> None:
    """The value of a proxy header is in no text of the settings; the header's name is."""
    config = _config(proxy="http://proxy.test:1", proxy_headers={"Proxy-Authorization": CANARY})
    assert CANARY not in printed(config)
    assert "Proxy-Authorization" in printed(config)
    assert dict(config.proxy_headers) == {"Proxy-Authorization": CANARY}


@pytest.mark.parametrize("changes", [{"proxy": "nowhere"}, {"tls": 5}, {"resolver": 5}, {"session_factory": 5}])
def test_invalid_settings_leave_no_proxy_header_in_the_traceback(changes: dict[str, Any]) -> None:
    """Refused settings leave the proxy's credentials in no text and in no frame."""
    error = caught(lambda: _config(proxy_headers={"Proxy-Authorization": CANARY}, **changes))
    assert isinstance(error, InvalidConfig)
    assert CANARY not in reported(error)


def test_verifying_tls_contexts_are_accepted() -> None:
    """A client context that verifies the server is accepted, whatever its other settings."""
    for context in (
        _context(),
        _context(minimum_version=ssl.TLSVersion.TLSv1_3),
        _context(check_hostname=False),  # with a private CA, which may certify one server only
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    ):
        assert _config(tls=context).tls is context


@pytest.mark.parametrize("wrong", [True, False, "ca.pem", 5, ssl.SSLContext, b"", {}])
def test_non_context_tls_setting_is_refused(wrong: object) -> None:
    """A path, a bool or a class is not a context."""
    with pytest.raises(InvalidConfig, match=r"^tls must be an ssl\.SSLContext, such as ssl\.create_default_context"):
        _config(tls=wrong)


def test_tls_context_without_verification_is_refused() -> None:
    """A context that trusts any server would expose the secret, and one for servers cannot connect."""
    unverified = _context(check_hostname=False, verify_mode=ssl.CERT_NONE)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(server_side)
    client_auth = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    client_auth.verify_mode = ssl.CERT_REQUIRED
    for context in (unverified, server_side, client_auth):
        with pytest.raises(InvalidConfig, match=r"^tls must be a context for clients that verifies"):
            _config(tls=context)


@pytest.mark.parametrize(
    ("name", "example"),
    [("resolver", "aiohttp.AsyncResolver"), ("session_factory", "aiohttp"), ("connector_factory", "aiohttp connector")],
)
@pytest.mark.parametrize("wrong", [5, "name", object(), ()])
def test_factories_must_be_callable(name: str, example: str, wrong: object) -> None:
    """A resolver, a session or a connector itself is refused: each event loop needs one of its own."""
    with pytest.raises(InvalidConfig, match=rf"^{name} must be a callable that makes an? .*{example}.*each event loop"):
        _config(**{name: wrong})


async def test_session_instance_is_refused_as_session_factory() -> None:
    """An existing session is not accepted in place of a factory."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(InvalidConfig, match=r"^session_factory must be a callable"):
            _config(session_factory=session)


def test_repr_shows_callables_by_name_only() -> None:
    """A callable may be bound to a secret; the settings show its name and no more."""
    bound = functools.partial(aiohttp.ClientSession, headers={"X-Key": CANARY})
    shown = printed(_config(session_factory=bound, resolver=aiohttp.ThreadedResolver))
    assert CANARY not in shown
    assert "session_factory=partial" in shown
    assert "resolver=ThreadedResolver" in shown
    assert "resolver=None" in printed(_config())


def test_config_with_context_and_callables_is_a_value() -> None:
    """Settings with a context and callables are still values: equal, hashable and copied, shallow and deep."""
    given: dict[str, Any] = {
        "proxy": "http://proxy.test:3128",
        "proxy_headers": {"Proxy-Authorization": CANARY},
        "tls": _context(),
        "resolver": aiohttp.ThreadedResolver,
        "session_factory": aiohttp.ClientSession,
    }
    config = _config(**given)
    assert config == _config(**given)
    assert config != _config(**given | {"tls": _context()})
    assert hash(config) == hash(_config(**given))
    for copied in (copy.copy(config), copy.deepcopy(config), attrs.evolve(config)):
        assert copied == config
        assert copied.tls is config.tls
    assert isinstance(caught(lambda: pickle.dumps(config)), TypeError)
