"""Dumping and encoding: the bytes represent the flow exactly, whatever numbers and texts it contains."""

import json

import pytest

from routee_failover._wire import dump_flow, encode_flow, load_flow
from routee_failover._wire.json_codec import decode, encode, encode_canonical
from routee_failover.flows import SmsStep, StandardFlow, ViberOtpMessage
from routee_failover.secret import SecretBytes

from ..flows.leak_detection import caught, reported
from ..flows.sample_requests import BASIC_OTP, SAMPLES, VIBER_OTP, build


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_body_is_the_json_of_the_dumped_flow(endpoint: str) -> None:
    """The body is the JSON of what `dump_flow` returns, and is stored as `SecretBytes`."""
    flow = load_flow(endpoint, SAMPLES[endpoint])
    body = encode_flow(flow)
    assert isinstance(body, SecretBytes)
    assert json.loads(body.reveal()) == dump_flow(flow) == SAMPLES[endpoint]
    assert len(body) == len(body.reveal())


@pytest.mark.parametrize("minutes", [0, 5, 2**63 - 1, 2**64 - 1, 2**64, 10**50 - 1])
def test_integer_of_up_to_50_digits_is_sent_exactly(minutes: int) -> None:
    """A codeValidityTime of up to 50 digits is sent with all digits, and is loaded from its JSON."""
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
def test_text_of_any_alphabet_is_sent_unchanged(text: str) -> None:
    """Text of any alphabet, control characters included, is sent unchanged."""
    flow = StandardFlow(steps=[build(SmsStep, message=text)])
    assert json.loads(encode_flow(flow).reveal())["flow"][0]["message"]["body"] == text


def test_enum_members_are_dumped_as_plain_text() -> None:
    """Members of Routee's word lists are dumped as plain text, not as members of an enumeration."""
    dumped = dump_flow(load_flow("viber-otp", {**VIBER_OTP, "templateId": BASIC_OTP}))
    assert (type(dumped["label"]), type(dumped["type"])) == (str, str)
    assert type(dump_flow(load_flow("standard", SAMPLES["standard"]))["callback"]["strategy"]) is str


@pytest.mark.parametrize("value", [None, True, -1, 0.1, "κ", [], {}, {"a": [1, {"b": None}]}])
def test_json_value_survives_encode_and_decode(value: object) -> None:
    """What JSON can represent is encoded and decoded to the same value."""
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>847291</html>", b"\xff", b"{'pin': '847291'}", b"[" * 5000], ids=range(6)
)
def test_bytes_that_are_not_json_are_a_value_error(body: bytes) -> None:
    """Bytes that are not JSON are a plain ValueError that quotes none of them, and has no other error attached."""
    with pytest.raises(ValueError, match=r"^is not JSON$") as excinfo:
        decode(body)
    assert excinfo.value.__context__ is None
    assert excinfo.value.__cause__ is None
    assert "847291" not in repr(excinfo.value)


CANARIES = ["8x4y7z2q"]


def test_decode_error_does_not_reveal_the_response() -> None:
    """A response that is not JSON is in no frame of the package: Routee echoes steps, which may contain a PIN."""
    error = caught(lambda: decode(f"{{{CANARIES[0]}".encode()))
    assert isinstance(error, ValueError)
    assert CANARIES[0] not in reported(error)


@pytest.mark.parametrize("text", ["a", "\ud800"])
def test_canonical_json_does_not_depend_on_key_order(text: str) -> None:
    """Equal values have equal bytes, in any order of keys, even if orjson cannot encode them."""
    assert encode_canonical({"x": [{"b": 1, "a": text}], "y": 2}) == encode_canonical(
        {"y": 2, "x": [{"a": text, "b": 1}]}
    )
    assert encode_canonical({"x": text}) != encode_canonical({"x": text + text})
