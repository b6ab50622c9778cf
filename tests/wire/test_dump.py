"""The way out: bytes that say exactly the flow, whatever numbers and texts it holds."""

import json

import pytest

from routee_failover._wire import dump_flow, encode_flow, load_flow
from routee_failover._wire.json import decode, encode, encode_canonical
from routee_failover.flows import SmsStep, StandardFlow, ViberOtpMessage
from routee_failover.secret import SecretBytes

from ..flows.leak_detection import caught, reported
from ..flows.sample_requests import BASIC_OTP, SAMPLES, VIBER_OTP, build


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_the_body_is_the_dumped_flow(endpoint: str) -> None:
    """What is sent is the JSON of what `dump_flow` shows, and it is out of sight."""
    flow = load_flow(endpoint, SAMPLES[endpoint])
    body = encode_flow(flow)
    assert isinstance(body, SecretBytes)
    assert json.loads(body.reveal()) == dump_flow(flow) == SAMPLES[endpoint]
    assert len(body) == len(body.reveal())


@pytest.mark.parametrize("minutes", [0, 5, 2**63 - 1, 2**64 - 1, 2**64, 10**50 - 1])
def test_big_numbers(minutes: int) -> None:
    """A codeValidityTime of up to 50 digits is sent digit by digit, and comes back from its JSON."""
    params = {"pin": "847291", "codeValidityTime": minutes}
    message = build(
        ViberOtpMessage,
        template_id="bed0942f-e07e-4879-834b-29cc4cf3ec35",
        template_params=params,
        extra={"x": "κωδικός"},
    )
    assert dump_flow(message)["templateParams"] == params
    body = encode_flow(message).reveal()
    assert str(minutes).encode() in body
    assert "κωδικός".encode() in body
    assert load_flow("viber-otp", json.loads(body), extra="keep") == message


@pytest.mark.parametrize(
    "text", ["κωδικός", "\U0001f600", '"\\\n\r\t\x00\x7f\u2028', "</script>"], ids=["greek", "emoji", "control", "html"]
)
def test_texts(text: str) -> None:
    """Text of any alphabet, control characters among it, arrives as it was."""
    flow = StandardFlow(steps=[build(SmsStep, message=text)])
    assert json.loads(encode_flow(flow).reveal())["flow"][0]["message"]["body"] == text


def test_enumerations_are_their_words() -> None:
    """Members of Routee's word lists are dumped as plain text, not as members of an enumeration."""
    dumped = dump_flow(load_flow("viber-otp", {**VIBER_OTP, "templateId": BASIC_OTP}))
    assert (type(dumped["label"]), type(dumped["type"])) == (str, str)
    assert type(dump_flow(load_flow("standard", SAMPLES["standard"]))["callback"]["strategy"]) is str


@pytest.mark.parametrize("value", [None, True, -1, 0.1, "κ", [], {}, {"a": [1, {"b": None}]}])
def test_json_both_ways(value: object) -> None:
    """What JSON can say is encoded and decoded to the same."""
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>847291</html>", b"\xff", b"NaN", b"{'pin': '847291'}", b"[" * 5000], ids=range(7)
)
def test_what_is_no_json(body: bytes) -> None:
    """Bytes that are no JSON are a plain ValueError that quotes none of them, and has no other error inside it."""
    with pytest.raises(ValueError, match=r"^is not JSON$") as refused:
        decode(body)
    assert refused.value.__context__ is None
    assert refused.value.__cause__ is None
    assert "847291" not in repr(refused.value)


CANARIES = ["8x4y7z2q"]


def test_what_is_no_json_is_not_told() -> None:
    """An answer that is no JSON stands in no frame of ours: Routee echoes steps, and a PIN may be among them."""
    error = caught(lambda: decode(f"{{{CANARIES[0]}".encode()))
    assert isinstance(error, ValueError)
    assert CANARIES[0] not in reported(error)


@pytest.mark.parametrize("text", ["a", "\ud800"])
def test_canonical_json(text: str) -> None:
    """The same value is the same bytes, in whatever order its keys are, even if it holds what orjson cannot write."""
    assert encode_canonical({"x": [{"b": 1, "a": text}], "y": 2}) == encode_canonical(
        {"y": 2, "x": [{"a": text, "b": 1}]}
    )
    assert encode_canonical({"x": text}) != encode_canonical({"x": text + text})
