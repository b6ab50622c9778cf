"""Secrets: nothing prints them by accident, and nothing but asking gives them away."""

import copy
import logging
import pickle
import traceback
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from routee_failover import Callback, CallbackSigner, SmsStep, StandardFlow, ViberStep
from routee_failover.errors import InvalidFlow, Problem
from routee_failover.secret import (
    Secret,
    SecretBytes,
    SecretMapping,
    mask_phone,
    mask_text,
    mask_url,
    mask_value,
    scrub_traceback,
)

from .flows.leak_detection import caught

CANARY = "canary-847291"


def _shown(value: object, caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a careless program would print of a value."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("careless").warning("%s %r %s", value, value, [value, {"it": value}])
    return "\n".join(
        [
            str(value),
            repr(value),
            f"{value}",
            f"{value!r}",
            f"{value!s}",
            f"{value}",
            caplog.text,
        ]
    )


SECRETS: list[Any] = [Secret(CANARY), SecretBytes(CANARY.encode()), SecretMapping({"key": CANARY})]
by_type = pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: type(secret).__name__)


@by_type
def test_never_shown(secret: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No way of printing, formatting or logging shows what a secret holds."""
    assert CANARY not in _shown(secret, caplog)
    with pytest.raises(TypeError):
        format(secret, ">40")


@by_type
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_not_pickled(secret: Any, protocol: int) -> None:
    """A secret is not pickled, alone or inside something, and the refusal does not tell it."""
    for value in (secret, [secret], {"it": secret}):
        with pytest.raises(TypeError, match="not pickled") as refused:
            pickle.dumps(value, protocol)
        assert CANARY not in str(refused.value)


@by_type
def test_revealed_when_asked(secret: Any) -> None:
    """`reveal()` gives what is held."""
    assert secret.reveal() in [CANARY, CANARY.encode(), {"key": CANARY}]


@pytest.mark.parametrize("secret", SECRETS[::2], ids=lambda secret: type(secret).__name__)
def test_copies_are_the_same_object(secret: Any) -> None:
    """A copy of what does not change is the thing itself."""
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_are_compared_by_what_they_hold() -> None:
    """Two secrets of the same text are equal and hash alike; no other value equals a secret."""
    assert Secret("κ\U0001f600") == Secret("κ\U0001f600")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\ud800") != Secret("\ud801")
    assert len({Secret("a"), Secret("a"), "a"}) == 2


def test_bytes_tell_their_length() -> None:
    """Of secret bytes only the length is told."""
    assert len(SecretBytes(b"12345")) == 5
    assert repr(SecretBytes(b"12345")) == "SecretBytes(<5 bytes>)"


def test_a_private_mapping_reads_like_any_other() -> None:
    """Keys are listed and values given when asked for; it equals any mapping with the same items."""
    given = {"a": 1, "b": [2]}
    private = SecretMapping(given)
    assert (list(private), len(private), private["b"], private.get("c"), "a" in private) == (
        ["a", "b"],
        2,
        [2],
        None,
        True,
    )
    assert private == given == private.reveal()
    assert private == MappingProxyType(given) == SecretMapping(given)
    assert hash(private) == hash(SecretMapping({"b": 3, "a": 2}))
    assert private != {"a": 1}
    assert private != 5
    assert repr(private) == "{'a': ****, 'b': ****}"
    with pytest.raises(TypeError):
        private["a"] = 2  # type: ignore[index]  # on purpose


def test_a_private_mapping_is_a_copy() -> None:
    """Neither the mapping that was given nor the one that is revealed reaches inside."""
    given = {"a": 1}
    private = SecretMapping(given)
    given["b"] = 2
    private.reveal()["c"] = 3
    assert private == {"a": 1}


def test_an_empty_private_mapping_hides_nothing() -> None:
    """An empty mapping is pickled like anything else, so that what has no parameters can be."""
    assert pickle.loads(pickle.dumps(SecretMapping())) == SecretMapping() == {}


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+306912345678", "+3069****5678"),
        ("306912345678", "3069****5678"),
        ("+3069123456", "+30****"),
        ("", "****"),
        (None, "None"),
        (5, "<int>"),
        (["+306912345678"], "<list>"),
    ],
)
def test_masked_numbers(number: object, masked: str) -> None:
    """Of a phone number enough is shown to recognise it, and too little to call it."""
    assert mask_phone(number) == masked


def test_what_stands_in_a_repr() -> None:
    """A hidden field shows whether it is there; a text shows how long it is."""
    assert (mask_value(None), mask_value(CANARY), mask_value(0)) == ("None", "****", "****")
    assert (mask_text("abc"), mask_text(None), mask_text(5)) == ("<3 characters>", "None", "****")


@scrub_traceback
def _fails(key: str, *, more: str) -> None:
    """Fails with what it was given in its own frame, in the error's context and in its cause."""
    try:
        int(key)
    except ValueError as error:
        raise InvalidFlow("It", [Problem((), "fails")]) from error


def test_a_forgetful_function_leaves_nothing_in_the_traceback() -> None:
    """What a forgetful function raises has neither the frames nor the errors that led to it."""
    canaries = [CANARY]
    error = caught(lambda: _fails(canaries[0], more=canaries[0]))
    assert isinstance(error, InvalidFlow)
    assert str(error) == "It: fails"
    assert error.__cause__ is None
    assert error.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
    assert not [frame for frame in frames if CANARY in repr({**frame.f_locals, "canaries": None})]


def test_a_forgetful_function_works() -> None:
    """Where nothing fails, forgetting changes nothing: neither what is returned nor what the function is called."""

    @scrub_traceback
    def works(key: str, *, more: int = 0) -> tuple[str, int]:
        """Says what it does."""
        return key, more

    assert works("a", more=1) == ("a", 1)
    assert (works.__name__, works.__doc__) == ("works", "Says what it does.")


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://x.example:8443/routee/c2lnbmVk?key=1#2", "'https://x.example:8443/****'"),
        ("https://me:word@x.example/signed", "'https://x.example/****'"),
        ("signed", "'/****'"),
        ("http://[signed", "'/****'"),
        (None, "None"),
        (b"signed", "****"),
    ],
)
def test_masked_addresses(url: object, masked: str) -> None:
    """Of an address that may be a secret, only where it leads to is shown."""
    assert mask_url(url) == masked


def test_signed_addresses_in_a_repr() -> None:
    """The `repr` of a flow and its parts holds no address that anybody could call."""
    url = CallbackSigner("k" * 40, base_url="https://x.example/routee").url("login")
    viber = ViberStep(
        to="+306912345678", ttl=timedelta(minutes=1), message="Hi", sender_info_tracking_id="s", inbound_url=url
    )
    flow = StandardFlow(
        steps=[viber, SmsStep(from_="Me", to="+306912345678", message="Hi")], callback=Callback(url=url)
    )
    assert repr(flow).count("'https://x.example/****'") == 2
    assert "routee/" not in repr(flow)
    assert flow.callback is not None
    assert flow.callback.url == url
