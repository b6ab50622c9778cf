"""Config's settings of the network: what cannot work or would show a secret is refused, and nothing quotes one."""

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
LEAST: dict[str, Any] = {"application_id": "app", "application_secret": "key"}
ENVIRON = {"ROUTEE_APPLICATION_ID": "app", "ROUTEE_APPLICATION_SECRET": "key"}
SETTINGS = ("proxy", "proxy_headers", "tls", "resolver", "session_factory")


def _config(**changes: Any) -> Config:
    return Config(**{**LEAST, **changes})


def _context(**changes: Any) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def test_defaults() -> None:
    """Without a word there is no proxy, and aiohttp's own resolver, session and trust."""
    config = _config()
    assert [getattr(config, name) for name in SETTINGS] == [None, SecretMapping(), None, None, None]
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
def test_proxies(url: str) -> None:
    """A proxy is an address of http or https; a closing slash makes no difference."""
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
def test_refused_proxies(wrong: object) -> None:
    """Whatever is no address of a proxy is refused with an example of one."""
    with pytest.raises(InvalidConfig, match=r"^proxy must be an address such as http://proxy\.example:3128$"):
        _config(proxy=wrong)


@pytest.mark.parametrize("form", ["http://user:{}@proxy.test:3128", "https://{}@proxy.test", "http://:{}@proxy.test"])
def test_credentials_in_a_proxy_are_refused_and_not_told(form: str) -> None:
    """The refusal says where they belong and shows none of them, wherever the address came from."""
    url = form.format(CANARY)
    for way in (lambda: _config(proxy=url), lambda: Config.from_env({**ENVIRON, "ROUTEE_PROXY": url})):
        error = caught(way)
        assert isinstance(error, InvalidConfig)
        assert str(error) == "proxy must not hold credentials; give them in proxy_headers, as Proxy-Authorization"
        assert CANARY not in reported(error)
        assert CANARY.encode() not in pickle.dumps(error)


@pytest.mark.parametrize("name", ["api_url", "auth_url"])
def test_what_is_plain_goes_through_a_proxy_of_this_machine_only(name: str) -> None:
    """A proxy elsewhere would read what is plain http only because it stays on this machine."""
    plain: dict[str, Any] = {name: "http://localhost:8080"}
    for near in ("http://localhost:3128", "http://127.0.0.1:3128", "http://[::1]:3128", "http://proxy.localhost"):
        assert _config(proxy=near, **plain).proxy == near
    for far in ("http://proxy.example.test:3128", "https://proxy.example.test:3128", "http://10.0.0.1:3128"):
        with pytest.raises(InvalidConfig, match=rf"^proxy must be on this machine where {name} is http"):
            _config(proxy=far, **plain)
        with pytest.raises(InvalidConfig, match=rf"^proxy must be on this machine where {name} is http"):
            attrs.evolve(_config(proxy=far), **plain)


def test_from_env_reads_the_proxy() -> None:
    """ROUTEE_PROXY is the proxy; empty, it is none, and what is given beside the environment wins."""
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
def test_proxy_headers(headers: object, reason: str) -> None:
    """A proxy's headers are names and texts of one line, and none that says what the request is."""
    with pytest.raises(InvalidConfig, match=rf"^proxy_headers:? ?{reason}"):
        _config(proxy_headers=headers)


@pytest.mark.parametrize("name", ["Proxy-Authorization", "proxy-authorization"])
def test_headers_for_a_proxy_do_not_go_to_routee(name: str) -> None:
    """What is meant for a proxy is refused among the headers for Routee, with the place where it belongs."""
    with pytest.raises(InvalidConfig, match=rf"^headers: {name} is not for Routee; give it in proxy_headers$"):
        _config(headers={name: CANARY})


def test_no_proxy_header_is_printed() -> None:
    """What stands in a header for the proxy is in no text of the settings; the header's name is."""
    config = _config(proxy="http://proxy.test:1", proxy_headers={"Proxy-Authorization": CANARY})
    assert CANARY not in printed(config)
    assert "Proxy-Authorization" in printed(config)
    assert dict(config.proxy_headers) == {"Proxy-Authorization": CANARY}


@pytest.mark.parametrize("changes", [{"proxy": "nowhere"}, {"tls": 5}, {"resolver": 5}, {"session_factory": 5}])
def test_a_refusal_does_not_tell_a_proxy_header(changes: dict[str, Any]) -> None:
    """Settings that are refused leave the proxy's credentials in no text and in no frame."""
    error = caught(lambda: _config(proxy_headers={"Proxy-Authorization": CANARY}, **changes))
    assert isinstance(error, InvalidConfig)
    assert CANARY not in reported(error)


def test_tls_contexts() -> None:
    """A context for clients that verifies is taken, whatever else it says."""
    for context in (
        _context(),
        _context(minimum_version=ssl.TLSVersion.TLSv1_3),
        _context(check_hostname=False),  # with a CA of one's own, it may vouch for one server alone
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    ):
        assert _config(tls=context).tls is context


@pytest.mark.parametrize("wrong", [True, False, "ca.pem", 5, ssl.SSLContext, b"", {}])
def test_what_is_no_tls_context_is_refused(wrong: object) -> None:
    """A path, a switch or a class is no context."""
    with pytest.raises(InvalidConfig, match=r"^tls must be an ssl\.SSLContext, such as ssl\.create_default_context"):
        _config(tls=wrong)


def test_a_context_that_verifies_nothing_is_refused() -> None:
    """A context that trusts anybody would show the key to anybody, and one for servers cannot call."""
    trusting = _context(check_hostname=False, verify_mode=ssl.CERT_NONE)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(serving)
    demanding = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    demanding.verify_mode = ssl.CERT_REQUIRED
    for context in (trusting, serving, demanding):
        with pytest.raises(InvalidConfig, match=r"^tls must be a context for clients that verifies"):
            _config(tls=context)


@pytest.mark.parametrize(("name", "example"), [("resolver", "aiohttp.AsyncResolver"), ("session_factory", "aiohttp")])
@pytest.mark.parametrize("wrong", [5, "name", object(), ()])
def test_what_cannot_be_called_makes_nothing(name: str, example: str, wrong: object) -> None:
    """A resolver or a session itself is refused: each event loop needs one of its own."""
    with pytest.raises(InvalidConfig, match=rf"^{name} must be a callable that makes an? .*{example}.*each event loop"):
        _config(**{name: wrong})


async def test_a_session_is_no_factory() -> None:
    """The session that somebody already has is not taken in place of what makes one."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(InvalidConfig, match=r"^session_factory must be a callable"):
            _config(session_factory=session)


def test_callables_are_shown_by_their_name() -> None:
    """What a callable is bound to may be a key; the settings show what it is called and no more."""
    bound = functools.partial(aiohttp.ClientSession, headers={"X-Key": CANARY})
    shown = printed(_config(session_factory=bound, resolver=aiohttp.ThreadedResolver))
    assert CANARY not in shown
    assert "session_factory=partial" in shown
    assert "resolver=ThreadedResolver" in shown
    assert "resolver=None" in printed(_config())


def test_settings_are_copied_with_what_cannot_be() -> None:
    """Settings with a context and callables are values still: equal, hashable and copied, as they are and deeply."""
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
