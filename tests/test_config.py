"""Config: invalid settings raise before anything is sent, and no secret is ever shown."""

import copy
import pickle
import re
from datetime import timedelta
from typing import Any

import attrs
import pytest

from routee_failover.config import Config
from routee_failover.errors import InvalidConfig, Outcome
from routee_failover.secret import Secret

from .flows.leak_detection import caught, printed, reported

CANARIES = ["s3cr3tk3y"]
REQUIRED: dict[str, Any] = {"application_id": "app", "application_secret": "key"}
ENVIRON = {"ROUTEE_APPLICATION_ID": "app", "ROUTEE_APPLICATION_SECRET": "key"}
ONE_SECOND = timedelta(seconds=1)


def _config(**changes: Any) -> Config:
    return Config(**{**REQUIRED, **changes})


def test_docstring_describes_every_setting() -> None:
    """`help(Config)` does not show the docstrings of fields, so that the class docstring names every setting."""
    documented = set(re.findall(r"`(\w+)`", Config.__doc__ or ""))
    assert {field.name for field in attrs.fields(Config)} <= documented


def test_required_settings_alone_use_routees_addresses() -> None:
    """The id and the secret are enough; the addresses default to Routee's own."""
    config = _config()
    assert (config.api_url, config.auth_url) == ("https://connect.routee.net", "https://auth.routee.net")
    assert config.application_secret == Secret("key")
    assert dict(config.headers) == {}
    assert config == Config.from_env(ENVIRON)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (["ROUTEE_APPLICATION_ID"], "ROUTEE_APPLICATION_ID is not set"),
        (["ROUTEE_APPLICATION_SECRET"], "ROUTEE_APPLICATION_SECRET is not set"),
        (
            ["ROUTEE_APPLICATION_ID", "ROUTEE_APPLICATION_SECRET"],
            "ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET are not set",
        ),
    ],
)
@pytest.mark.parametrize("setting", ["absent", "empty"])
def test_missing_environment_variables_are_named(missing: list[str], message: str, setting: str) -> None:
    """A variable that is not set, or empty, is named; nothing was sent."""
    environ = {name: value for name, value in ENVIRON.items() if name not in missing}
    if setting == "empty":
        environ |= dict.fromkeys(missing, "")
    with pytest.raises(InvalidConfig, match=rf"^{message}: ") as caught:
        Config.from_env(environ)
    assert caught.value.outcome is Outcome.NOT_SENT


def test_from_env_reads_os_environ_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping, the variables of the process count, as they are at the time of the call."""
    for name, value in (
        ENVIRON | {"ROUTEE_API_URL": "http://127.0.0.1:1/", "ROUTEE_AUTH_URL": "http://[::1]:2"}
    ).items():
        monkeypatch.setenv(name, value)
    config = Config.from_env()
    assert (config.application_id, config.application_secret.reveal()) == ("app", "key")
    assert (config.api_url, config.auth_url) == ("http://127.0.0.1:1", "http://[::1]:2")
    monkeypatch.delenv("ROUTEE_APPLICATION_ID")
    with pytest.raises(InvalidConfig, match=r"ROUTEE_APPLICATION_ID is not set"):
        Config.from_env()


def test_from_env_keyword_settings_override_the_environment() -> None:
    """Keyword settings take precedence over the environment, and may supply what is missing there."""
    config = Config.from_env({}, application_id="other", application_secret="key", pool_size=3)
    assert (config.application_id, config.pool_size) == ("other", 3)
    assert Config.from_env(ENVIRON, application_id="other").application_id == "other"


@pytest.mark.parametrize("name", ["api_url", "auth_url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://connect.routee.net",
        "https://proxy.example.test:8443/routee",
        "http://localhost",
        "http://localhost:8080",
        "http://routee.localhost:8080",
        "http://127.0.0.1:8080",
        "http://127.8.8.8",
        "http://[::1]:8080/routee",
        "HTTP://LOCALHOST:1",
    ],
)
def test_https_and_loopback_http_urls_are_accepted(name: str, url: str) -> None:
    """A URL is https, or http to this machine itself; a trailing slash makes no difference."""
    assert getattr(_config(**{name: url}), name) == url
    assert getattr(_config(**{name: url + "/"}), name) == url


@pytest.mark.parametrize("name", ["api_url", "auth_url"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://connect.routee.net", "must be https"),
        ("http://10.0.0.1", "must be https"),
        ("http://192.168.1.1:8080", "must be https"),
        ("http://0.0.0.0:8080", "must be https"),
        ("http://128.0.0.1", "must be https"),
        ("http://[::2]", "must be https"),
        ("http://localhost.example.test", "must be https"),
        ("http://127.0.0.1.example.test", "must be https"),
        ("http://notlocalhost", "must be https"),
        ("https://user:pass@connect.routee.net", "must not contain credentials"),
        ("https://user@connect.routee.net", "must not contain credentials"),
        ("https://:pass@connect.routee.net", "must not contain credentials"),
        ("http://user:pass@localhost", "must not contain credentials"),
        ("ftp://connect.routee.net", "must be a URL such as https://"),
        ("connect.routee.net", "must be a URL such as https://"),
        ("https://", "must be a URL such as https://"),
        ("", "must be a URL such as https://"),
        ("https://connect.routee.net?x=1", "must be a URL such as https://"),
        ("https://connect.routee.net#x", "must be a URL such as https://"),
        ("https://connect.routee.net:port", "must be a URL such as https://"),
        ("https://connect.routee.net:99999", "must be a URL such as https://"),
        ("https://[::1", "must be a URL such as https://"),
        (None, "must be a URL such as https://"),
        (5, "must be a URL such as https://"),
        (b"https://connect.routee.net", "must be a URL such as https://"),
    ],
)
def test_unsafe_or_malformed_urls_are_refused_by_name(name: str, url: object, reason: str) -> None:
    """A URL that would expose the secret, or that is malformed, is refused; the error names the setting."""
    with pytest.raises(InvalidConfig, match=rf"^{name} {reason}"):
        _config(**{name: url})


DURATIONS = [field.name for field in attrs.fields(Config) if isinstance(field.default, timedelta)]
COUNTS = [field.name for field in attrs.fields(Config) if type(field.default) is int]


def test_every_setting_is_covered_by_these_tests() -> None:
    """The settings of this module are all that there are."""
    others = {"application_id", "application_secret", "api_url", "auth_url", "headers"}
    others |= {"concurrency", "rate", "poll_rate", "otp_reserve", "circuit_breaker", "status_rules", "observers"}
    others |= {"proxy", "proxy_headers", "tls", "resolver", "session_factory", "connector_factory"}
    assert {"total_timeout", "connect_timeout", "pool_timeout"} <= set(DURATIONS)
    assert "pool_size" in COUNTS
    assert {field.name for field in attrs.fields(Config)} == {*DURATIONS, *COUNTS, *others}


@pytest.mark.parametrize("name", DURATIONS)
def test_durations_must_be_positive_timedeltas(name: str) -> None:
    """A duration is a timedelta above zero; a bare number is refused."""
    assert getattr(_config(**{name: timedelta(microseconds=1)}), name) == timedelta(microseconds=1)
    for wrong in (timedelta(0), timedelta(microseconds=-1), 10, 1.5, "10", None, True):
        with pytest.raises(InvalidConfig, match=rf"^{name} must be a positive timedelta"):
            _config(**{name: wrong})


@pytest.mark.parametrize("name", COUNTS)
def test_counts_must_be_whole_numbers_of_at_least_one(name: str) -> None:
    """A count is a whole number of at least 1."""
    assert getattr(_config(**{name: 1}), name) == 1
    for wrong in (0, -1, 1.0, "1", None, True):
        with pytest.raises(InvalidConfig, match=rf"^{name} must be a whole number of at least 1"):
            _config(**{name: wrong})


@pytest.mark.parametrize("name", ["application_id", "application_secret"])
@pytest.mark.parametrize("wrong", ["", "  ", "a\nb", "a\rb", None, 5, b"key"])
def test_blank_or_multiline_credentials_are_refused(name: str, wrong: object) -> None:
    """The id and the secret are one line of text that is not blank."""
    with pytest.raises(InvalidConfig, match=rf"^{name} must be the text"):
        _config(**{name: wrong})


@pytest.mark.parametrize("wrong", ["", " ", "a\nb"])
def test_secret_objects_are_validated_like_text(wrong: str) -> None:
    """A key that is already a `Secret` is validated as well."""
    with pytest.raises(InvalidConfig, match=r"^application_secret must be the text"):
        _config(application_secret=Secret(wrong))
    assert _config(application_secret=Secret("key")) == _config()


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X-A": "a\nb"}, "must map header names to texts of one line"),
        ({"X-A": "a\rb"}, "must map header names to texts of one line"),
        ({"X-A": "a\0b"}, "must map header names to texts of one line"),
        ({"X-A\r\nX-B": "a"}, "must map header names to texts of one line"),
        ({"X-A": 5}, "must map header names to texts of one line"),
        ({"X-A": None}, "must map header names to texts of one line"),
        ({5: "a"}, "must map header names to texts of one line"),
        *(
            ({name: "a"}, f".*{name} is set by the client itself")
            for name in (
                "Authorization",
                "AUTHORIZATION",
                "content-type",
                "Content-Length",
                "Host",
                "Transfer-Encoding",
            )
        ),
        ([("X-A", "a")], "must be a mapping"),
        ("X-A: a", "must be a mapping"),
        (None, "must be a mapping"),
    ],
)
def test_invalid_or_reserved_headers_are_refused(headers: object, reason: str) -> None:
    """Headers are names and values of one line, and none that the client sets itself."""
    with pytest.raises(InvalidConfig, match=rf"^headers:? ?{reason}"):
        _config(headers=headers)


def test_headers_are_copied_and_read_only() -> None:
    """Settings do not change with the mapping that they were given, and cannot be changed."""
    headers = {"User-Agent": "mine"}
    config = _config(headers=headers)
    headers["X-A"] = "a"
    assert dict(config.headers) == {"User-Agent": "mine"}
    with pytest.raises(TypeError):
        config.headers["X-A"] = "a"  # type: ignore[index]  # on purpose
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.pool_size = 1  # type: ignore[misc]  # on purpose


def test_repr_shows_header_names_but_no_secret_values() -> None:
    """Neither the secret nor the value of a header is in any text of the settings; the header's name is."""
    shown = printed(_config(application_secret=CANARIES[0], headers={"X-Proxy-Key": CANARIES[0]}))
    assert CANARIES[0] not in shown
    assert "X-Proxy-Key" in shown


def test_config_can_be_copied_but_not_pickled() -> None:
    """A copy of the settings is equal and hides the secret too; pickling raises."""
    config = _config(application_secret=CANARIES[0])
    for copied in (copy.copy(config), attrs.evolve(config), attrs.evolve(config, pool_size=config.pool_size)):
        assert copied == config
        assert CANARIES[0] not in printed(copied)
    error = caught(lambda: pickle.dumps(config))
    assert isinstance(error, TypeError)
    assert CANARIES[0] not in reported(error)


def test_config_is_hashable_and_deep_copyable() -> None:
    """Frozen settings may be the key of a dict, and be part of what is copied deeply."""
    config = _config(headers={"User-Agent": "mine"})
    assert hash(config) == hash(_config(headers={"User-Agent": "mine"}))
    assert copy.deepcopy(config) == config


def test_evolve_validates_changed_settings() -> None:
    """Changed settings are validated like new ones."""
    with pytest.raises(InvalidConfig, match=r"^pool_size"):
        attrs.evolve(_config(), pool_size=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool_size": 0},
        {"api_url": "http://connect.routee.net"},
        {"headers": {"Host": "x"}},
        {"application_id": ""},
        {"no_such_setting": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_invalid_settings_leave_no_secret_in_the_traceback(changes: dict[str, Any]) -> None:
    """Refused settings leave the secret in no text and in no frame, whichever way they were given."""
    environ = {"ROUTEE_APPLICATION_ID": "app"}
    calls = [
        lambda: _build(CANARIES, changes),
        lambda: _from_env({**environ, "ROUTEE_APPLICATION_SECRET": CANARIES[0]}, changes),
        lambda: _from_env(environ, {"application_secret": CANARIES[0], **changes}),
        lambda: _from_env({}, {"application_secret": CANARIES[0], **changes}),
    ]
    for call in calls:
        error = caught(call)
        assert isinstance(error, InvalidConfig | TypeError)
        assert CANARIES[0] not in reported(error)
        assert CANARIES[0].encode() not in pickle.dumps(error)


def _build(secrets: list[str], changes: dict[str, Any]) -> Config:
    return Config(**{"application_id": "app", "application_secret": secrets[0], **changes})


def _from_env(environ: dict[str, str], changes: dict[str, Any]) -> Config:
    return Config.from_env(environ, **changes)


@pytest.mark.parametrize("name", ["ROUTEE_API_URL", "ROUTEE_AUTH_URL"])
def test_url_credentials_are_not_in_the_error(name: str) -> None:
    """A URL with a password in it is refused without showing it."""
    error = caught(lambda: _from_env({**ENVIRON, name: f"https://user:{CANARIES[0]}@example.test"}, {}))
    assert isinstance(error, InvalidConfig)
    assert CANARIES[0] not in reported(error)


@pytest.mark.parametrize("value", ["a\n", 5], ids=["two lines", "no text"])
def test_refused_secret_is_not_in_the_error(value: object) -> None:
    """A secret that is refused is not quoted, nor is what was given in its place."""
    error = caught(lambda: _config(application_secret=f"{CANARIES[0]}{value}\n"))
    assert isinstance(error, InvalidConfig)
    assert CANARIES[0] not in reported(error)


def test_colon_in_application_id_is_refused() -> None:
    """An id with a colon could not be separated from its secret in a request."""
    with pytest.raises(InvalidConfig, match="application_id must not contain a colon"):
        Config(application_id="a:b", application_secret="x")
