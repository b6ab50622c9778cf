"""`CallbackSigner`: its URLs carry their reference, and no other text is valid."""

import copy
import hmac
import pickle
import string
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Callback, CallbackSigner, InvalidConfig, InvalidFlow, Secret

KEY, OTHER = "k" * 40, "o" * 40
URL = "https://login.example.com/routee"


def make_signer(*keys: str, **more: Any) -> CallbackSigner:
    """Return a signer with these keys."""
    return CallbackSigner(keys or (KEY,), base_url=URL, **more)


def last_segment(url: str) -> str:
    """Return the part after the last slash."""
    return url.rpartition("/")[2]


@given(st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=50))
def test_any_reference_round_trips(reference: str) -> None:
    """Any reference is returned by `verify`, and the URL is one that a flow accepts."""
    signer = make_signer()
    url = signer.url(reference)
    assert url.startswith(URL + "/")
    assert signer.verify(last_segment(url)) == reference
    assert set(last_segment(url)) <= set(string.ascii_letters + string.digits + "-_")
    assert Callback(url=url).url == url


def test_longest_reference_makes_a_bounded_url() -> None:
    """The longest reference makes a URL of a bounded length."""
    signer = make_signer()
    assert len(last_segment(signer.url("i" * 200))) == 316
    assert signer.verify(last_segment(signer.url("i" * 200))) == "i" * 200


@pytest.mark.parametrize("reference", ["", "i" * 201, "€" * 67, "line\nbreak", "\ud800", None, 7])
def test_invalid_reference_raises_invalid_flow(reference: Any) -> None:
    """A reference that is not a printable text of 1 to 200 bytes is refused."""
    with pytest.raises(InvalidFlow, match="reference: must be a printable text of 1 to 200 bytes"):
        make_signer().url(reference)


def test_url_expires_after_valid_for() -> None:
    """A URL is valid for `valid_for`, and not after that."""
    now = 1_767_225_600.5
    signer = make_signer(valid_for=timedelta(minutes=5), clock=lambda: now)
    valid = last_segment(signer.url("login"))
    now += 300
    assert signer.verify(valid) == "login"
    now += 2
    assert signer.verify(valid) is None


def test_unlimited_validity_is_capped() -> None:
    """An unlimited validity is as long as a URL can express."""
    assert (
        make_signer(valid_for=timedelta.max).verify(last_segment(make_signer(valid_for=timedelta.max).url("login")))
        == "login"
    )


def test_default_clock_is_the_system_time() -> None:
    """The system time is used if no clock is given."""
    signer = make_signer(valid_for=timedelta(seconds=60))
    assert signer.clock is time.time
    assert signer.verify(last_segment(signer.url("login"))) == "login"


def test_keys_can_be_rotated() -> None:
    """The first key signs and all verify: a new key is put first, and the old one is removed later."""
    before, between, after = make_signer(KEY), make_signer(OTHER, KEY), make_signer(OTHER)
    old, new = last_segment(before.url("login")), last_segment(between.url("login"))
    assert between.verify(old) == between.verify(new) == "login"
    assert before.verify(new) is None
    assert after.verify(old) is None
    assert after.verify(new) == "login"


@given(st.data())
def test_altered_url_is_invalid(data: st.DataObject) -> None:
    """A character changed, added or removed makes the URL invalid."""
    signer = make_signer()
    valid = last_segment(signer.url("login-4711"))
    position = data.draw(st.integers(0, len(valid)))
    character = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_=+/%. é\x00") | st.just(""))
    skip = data.draw(st.integers(0, 2))
    changed = valid[:position] + character + valid[position + skip :]
    assert signer.verify(changed) == ("login-4711" if changed == valid else None)


@given(st.text() | st.text(string.ascii_letters + "-_", max_size=400))
def test_arbitrary_text_is_invalid(text: str) -> None:
    """No text raises, and none is valid that no signer made."""
    assert make_signer().verify(text) is None


@pytest.mark.parametrize("text", [None, 7, b"abc"])
def test_non_text_is_invalid(text: Any) -> None:
    """A value that is not a text is not a valid URL."""
    assert make_signer().verify(text) is None


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check compares in constant time, with every key, whichever of them matches."""
    compared: list[bool] = []
    compare = hmac.compare_digest

    def watch(first: bytes, second: bytes) -> bool:
        compared.append(compare(first, second))
        return compared[-1]

    monkeypatch.setattr(hmac, "compare_digest", watch)
    signer = make_signer(KEY, OTHER)
    signer.verify(last_segment(signer.url("login")))
    assert compared == [True, False]
    compared.clear()
    signer.verify("x")
    assert compared == [False, False]


def test_url_has_one_spelling() -> None:
    """Bits that a decoder ignores, and padding, make no second valid URL."""
    signer = make_signer()
    valid = last_segment(signer.url("l"))
    assert len(valid) % 4
    assert signer.verify(valid + "=" * (-len(valid) % 4)) is None
    variants = [valid[:-1] + character for character in string.ascii_letters + string.digits + "-_"]
    assert [variant for variant in variants if signer.verify(variant)] == [valid]


def test_keys_are_hidden_and_not_pickled() -> None:
    """Neither `repr` nor a pickle discloses a key; texts and `Secret` are accepted, one or several."""
    forms: list[str | Secret | list[str | Secret]] = [KEY, Secret(KEY), [KEY, Secret(OTHER)]]
    for keys in forms:
        signer = CallbackSigner(keys, base_url=URL + "/")
        assert signer.base_url == URL
        assert KEY not in repr(signer)
        assert all(isinstance(key, Secret) for key in signer.keys)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(signer)
    assert copy.copy(signer) is copy.deepcopy(signer) is signer


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keys": ()}, "keys must be"),
        ({"keys": None}, "keys must be"),
        ({"keys": [b"k" * 40]}, "keys must be"),
        ({"keys": ["short-canary"]}, "32 characters or more"),
        ({"keys": [KEY, "short-canary"]}, "32 characters or more"),
        ({"base_url": "http://login.example.com"}, "base_url must be https"),
        ({"base_url": "login.example.com"}, "base_url must be a URL such as https://"),
        ({"base_url": "https://login.example.com?x=1"}, "base_url must be a URL"),
        ({"base_url": "https://me:canary@login.example.com"}, "must not contain credentials"),
        ({"base_url": None}, "base_url must be a URL"),
        ({"valid_for": 60}, "valid_for must be a positive timedelta"),
        ({"valid_for": timedelta(0)}, "valid_for must be a positive timedelta"),
        ({"clock": 7}, "clock must be a callable"),
    ],
    ids=str,
)
def test_invalid_setting_raises_invalid_config(settings: dict[str, Any], message: str) -> None:
    """A setting that cannot work is refused at once, without quoting it."""
    with pytest.raises(InvalidConfig, match=message) as caught:
        CallbackSigner(**{"keys": KEY, "base_url": URL, **settings})
    assert "canary" not in str(caught.value)


def test_plain_http_is_allowed_on_localhost() -> None:
    """A receiver on this machine may be reached without TLS."""
    assert (
        CallbackSigner(KEY, base_url="http://127.0.0.1:8080/routee").url("login").startswith("http://127.0.0.1:8080/")
    )
