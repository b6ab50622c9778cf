"""`CallbackSigner`: its addresses say what they were made for, and no other text does."""

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


def signer(*keys: str, **more: Any) -> CallbackSigner:
    """A signer of some keys."""
    return CallbackSigner(keys or (KEY,), base_url=URL, **more)


def segment(url: str) -> str:
    """What stands after the last slash."""
    return url.rpartition("/")[2]


@given(st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=50))
def test_there_and_back(intent: str) -> None:
    """Whatever an address was made for comes back, and the address is one that a flow takes."""
    mine = signer()
    url = mine.url(intent)
    assert url.startswith(URL + "/")
    assert mine.verify(segment(url)) == intent
    assert set(segment(url)) <= set(string.ascii_letters + string.digits + "-_")
    assert Callback(url=url).url == url


def test_length() -> None:
    """The longest intent makes an address of a bounded length."""
    mine = signer()
    assert len(segment(mine.url("i" * 200))) == 316
    assert mine.verify(segment(mine.url("i" * 200))) == "i" * 200


@pytest.mark.parametrize("intent", ["", "i" * 201, "€" * 67, "line\nbreak", "\ud800", None, 7])
def test_intents_that_cannot_be_held(intent: Any) -> None:
    """An intent that is no printable text of 1 to 200 bytes is refused before there is an address."""
    with pytest.raises(InvalidFlow, match="intent: must be a printable text of 1 to 200 bytes"):
        signer().url(intent)


def test_expiry() -> None:
    """An address is known for as long as was said, and not after that."""
    now = 1_767_225_600.5
    mine = signer(valid_for=timedelta(minutes=5), clock=lambda: now)
    made = segment(mine.url("login"))
    now += 300
    assert mine.verify(made) == "login"
    now += 2
    assert mine.verify(made) is None


def test_the_end_of_time() -> None:
    """A validity without an end is as long as an address can say."""
    assert signer(valid_for=timedelta.max).verify(segment(signer(valid_for=timedelta.max).url("login"))) == "login"


def test_without_a_clock() -> None:
    """Real time is what counts where no clock is given."""
    mine = signer(valid_for=timedelta(seconds=60))
    assert mine.clock is time.time
    assert mine.verify(segment(mine.url("login"))) == "login"


def test_rotation() -> None:
    """The first key signs and all verify: a new key is put first, and the old one is taken out later."""
    before, between, after = signer(KEY), signer(OTHER, KEY), signer(OTHER)
    old, new = segment(before.url("login")), segment(between.url("login"))
    assert between.verify(old) == between.verify(new) == "login"
    assert before.verify(new) is None
    assert after.verify(old) is None
    assert after.verify(new) == "login"


@given(st.data())
def test_no_other_text(data: st.DataObject) -> None:
    """A letter changed, added or taken out makes an address that nobody was given."""
    mine = signer()
    made = segment(mine.url("login-4711"))
    where = data.draw(st.integers(0, len(made)))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_=+/%. é\x00") | st.just(""))
    skip = data.draw(st.integers(0, 2))
    changed = made[:where] + letter + made[where + skip :]
    assert mine.verify(changed) == ("login-4711" if changed == made else None)


@given(st.text() | st.text(string.ascii_letters + "-_", max_size=400))
def test_any_text(text: str) -> None:
    """No text raises, and none is known that no signer made."""
    assert signer().verify(text) is None


@pytest.mark.parametrize("text", [None, 7, b"abc"])
def test_what_is_no_text(text: Any) -> None:
    """What is no text is no address of ours."""
    assert signer().verify(text) is None


def test_all_keys_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check compares in constant time, with every key, whichever of them fits."""
    compared: list[bool] = []
    compare = hmac.compare_digest

    def watch(mine: bytes, theirs: bytes) -> bool:
        compared.append(compare(mine, theirs))
        return compared[-1]

    monkeypatch.setattr(hmac, "compare_digest", watch)
    mine = signer(KEY, OTHER)
    mine.verify(segment(mine.url("login")))
    assert compared == [True, False]
    compared.clear()
    mine.verify("x")
    assert compared == [False, False]


def test_one_spelling() -> None:
    """Bits that a decoder ignores, and padding, make no second address of the same meaning."""
    mine = signer()
    made = segment(mine.url("l"))
    assert len(made) % 4
    assert mine.verify(made + "=" * (-len(made) % 4)) is None
    twins = [made[:-1] + letter for letter in string.ascii_letters + string.digits + "-_"]
    assert [twin for twin in twins if mine.verify(twin)] == [made]


def test_keys_are_not_shown() -> None:
    """Neither `repr` nor a pickle shows a key; texts and `Secret` are taken, one or several."""
    forms: list[str | Secret | list[str | Secret]] = [KEY, Secret(KEY), [KEY, Secret(OTHER)]]
    for keys in forms:
        mine = CallbackSigner(keys, base_url=URL + "/")
        assert mine.base_url == URL
        assert KEY not in repr(mine)
        assert all(isinstance(key, Secret) for key in mine.keys)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(mine)
    assert copy.copy(mine) is copy.deepcopy(mine) is mine


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"keys": ()}, "keys must be"),
        ({"keys": None}, "keys must be"),
        ({"keys": [b"k" * 40]}, "keys must be"),
        ({"keys": ["short-canary"]}, "32 letters or more"),
        ({"keys": [KEY, "short-canary"]}, "32 letters or more"),
        ({"base_url": "http://login.example.com"}, "base_url must be https"),
        ({"base_url": "login.example.com"}, "base_url must be an address such as https://"),
        ({"base_url": "https://login.example.com?x=1"}, "base_url must be an address"),
        ({"base_url": "https://me:canary@login.example.com"}, "must not hold credentials"),
        ({"base_url": None}, "base_url must be an address"),
        ({"valid_for": 60}, "valid_for must be a positive timedelta"),
        ({"valid_for": timedelta(0)}, "valid_for must be a positive timedelta"),
        ({"clock": 7}, "clock must be a callable"),
    ],
    ids=str,
)
def test_settings_that_cannot_work(given_: dict[str, Any], why: str) -> None:
    """A setting that cannot work is refused at once, without quoting it."""
    with pytest.raises(InvalidConfig, match=why) as caught:
        CallbackSigner(**{"keys": KEY, "base_url": URL, **given_})
    assert "canary" not in str(caught.value)


def test_plain_http_on_this_machine() -> None:
    """A receiver on this machine itself may be reached without TLS."""
    assert (
        CallbackSigner(KEY, base_url="http://127.0.0.1:8080/routee").url("login").startswith("http://127.0.0.1:8080/")
    )
