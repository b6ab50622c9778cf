"""Secrets: nothing prints them by accident, and only `reveal()` returns them."""

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


def _printed(value: object, caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a careless program would print about a value."""
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
def test_secret_is_hidden_by_print_format_and_logging(secret: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No way of printing, formatting or logging shows the content of a secret."""
    assert CANARY not in _printed(secret, caplog)
    with pytest.raises(TypeError):
        format(secret, ">40")


@by_type
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_a_secret_raises_without_showing_it(secret: Any, protocol: int) -> None:
    """A secret cannot be pickled, alone or inside another object, and the error does not show it."""
    for value in (secret, [secret], {"it": secret}):
        with pytest.raises(TypeError, match="cannot be pickled") as caught:
            pickle.dumps(value, protocol)
        assert CANARY not in str(caught.value)


@by_type
def test_reveal_returns_the_content(secret: Any) -> None:
    """`reveal()` returns the content."""
    assert secret.reveal() in [CANARY, CANARY.encode(), {"key": CANARY}]


@pytest.mark.parametrize("secret", SECRETS[::2], ids=lambda secret: type(secret).__name__)
def test_copy_of_a_secret_is_the_same_object(secret: Any) -> None:
    """A copy of an immutable object is the object itself."""
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_are_equal_by_content_only_to_secrets() -> None:
    """Two secrets of the same text are equal and hash alike; no other value equals a secret."""
    assert Secret("κ\U0001f600") == Secret("κ\U0001f600")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\ud800") != Secret("\ud801")
    assert len({Secret("a"), Secret("a"), "a"}) == 2


def test_secret_bytes_show_their_length_only() -> None:
    """The repr of secret bytes shows their length only."""
    assert len(SecretBytes(b"12345")) == 5
    assert repr(SecretBytes(b"12345")) == "SecretBytes(<5 bytes>)"


def test_secret_mapping_reads_like_any_mapping() -> None:
    """Keys are listed and values returned on access; it equals any mapping with the same items."""
    given = {"a": 1, "b": [2]}
    mapping = SecretMapping(given)
    assert (list(mapping), len(mapping), mapping["b"], mapping.get("c"), "a" in mapping) == (
        ["a", "b"],
        2,
        [2],
        None,
        True,
    )
    assert mapping == given == mapping.reveal()
    assert mapping == MappingProxyType(given) == SecretMapping(given)
    assert hash(mapping) == hash(SecretMapping({"b": 3, "a": 2}))
    assert mapping != {"a": 1}
    assert mapping != 5
    assert repr(mapping) == "{'a': ****, 'b': ****}"
    with pytest.raises(TypeError):
        mapping["a"] = 2  # type: ignore[index]  # on purpose


def test_secret_mapping_is_a_copy() -> None:
    """Neither the mapping that was given nor the one that is revealed changes the content."""
    given = {"a": 1}
    mapping = SecretMapping(given)
    given["b"] = 2
    mapping.reveal()["c"] = 3
    assert mapping == {"a": 1}


def test_empty_secret_mapping_can_be_pickled() -> None:
    """An empty mapping can be pickled, so that a message without parameters can be."""
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
def test_masked_phone_number_is_recognisable_but_not_complete(number: object, masked: str) -> None:
    """Enough of a phone number is shown to recognise it, and too little to call it."""
    assert mask_phone(number) == masked


def test_masked_field_shows_presence_or_length_only() -> None:
    """A hidden field shows whether it is set; a text shows how long it is."""
    assert (mask_value(None), mask_value(CANARY), mask_value(0)) == ("None", "****", "****")
    assert (mask_text("abc"), mask_text(None), mask_text(5)) == ("<3 characters>", "None", "****")


@scrub_traceback
def _raise_with_arguments(key: str, *, more: str) -> None:
    """Raise with the arguments in its own frame, in the error's context and in its cause."""
    try:
        int(key)
    except ValueError as error:
        raise InvalidFlow("It", [Problem((), "fails")]) from error


def test_scrubbed_error_has_no_frames_or_causes() -> None:
    """An error of a scrubbed function has neither the frames nor the errors that led to it."""
    canaries = [CANARY]
    error = caught(lambda: _raise_with_arguments(canaries[0], more=canaries[0]))
    assert isinstance(error, InvalidFlow)
    assert str(error) == "It: fails"
    assert error.__cause__ is None
    assert error.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
    assert not [frame for frame in frames if CANARY in repr({**frame.f_locals, "canaries": None})]


def test_scrubbed_function_returns_its_result_and_keeps_its_name() -> None:
    """Without an error the decorator changes neither the result nor the name of the function."""

    @scrub_traceback
    def works(key: str, *, more: int = 0) -> tuple[str, int]:
        """Do the work."""
        return key, more

    assert works("a", more=1) == ("a", 1)
    assert (works.__name__, works.__doc__) == ("works", "Do the work.")


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
def test_masked_url_shows_scheme_and_host_only(url: object, masked: str) -> None:
    """Only the origin of a URL that may be a secret is shown."""
    assert mask_url(url) == masked


def test_flow_repr_masks_signed_callback_urls() -> None:
    """The `repr` of a flow and its parts holds no URL that could be called."""
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
