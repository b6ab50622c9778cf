"""Cost of encoding a two-step OTP flow and of parsing its response: `python benchmarks/flow_encoding.py`.

Three implementations in alternating rounds, a new recipient and PIN each time: this library; pydantic 2 doing the same
(the same limits, a PIN that no repr shows, durations, the rule about two fields); and a plain dict with orjson, which
validates nothing and is the lower bound. The figures to read are the ratios: machines differ and drift.
"""

import gc
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_serializer, model_validator
from pydantic.alias_generators import to_camel

from routee_failover import OtpFlow, OtpSmsStep, ViberOtpStep
from routee_failover._wire import encode_flow
from routee_failover._wire.responses import parse_otp_receipt

ROUNDS, PER_ROUND = 60, 500
SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
TEMPLATE = "c33cccaf-735f-4d62-8383-a76bf4999e2d"
MINUTE, THREE_MINUTES = timedelta(minutes=1), timedelta(minutes=3)

# --- pydantic 2, written as its users do


class Model(BaseModel):
    """Base model: frozen, strict about keys, with Routee's names."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Message(Model):
    """Content of an SMS."""

    body: Annotated[str, StringConstraints(min_length=1)] = Field(repr=False)
    flash: bool | None = None
    label: Annotated[str, StringConstraints(max_length=350)] | None = None
    transcode: bool | None = None


class Step(Model):
    """Common fields of both steps."""

    order: Annotated[int, Field(ge=1)]
    to: Annotated[str, StringConstraints(pattern=r"^\+?[1-9][0-9]{1,14}$")]
    ttl: Annotated[timedelta, Field(ge=timedelta(0))]
    label: str | None = None

    @field_serializer("ttl")
    def seconds(self, value: timedelta) -> int:
        """Return whole seconds, Routee's unit here."""
        return value.days * 86400 + value.seconds


class Viber(Step):
    """Step of a one-time password over Viber."""

    type: Literal["ViberOtp"] = "ViberOtp"
    sender_info_tracking_id: Annotated[str, StringConstraints(min_length=1)]
    template_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]
    pin: Annotated[SecretStr, Field(min_length=4, max_length=10)]
    template_type: Literal["basic", "with_business_name"] | None = None
    business_name: str | None = None

    @field_serializer("pin")
    def reveal(self, value: SecretStr) -> str:
        """Return the PIN itself, for the wire."""
        return value.get_secret_value()

    @model_validator(mode="after")
    def check_business_name(self) -> "Viber":
        """Check the rule about two fields."""
        if self.template_type == "with_business_name" and self.business_name is None:
            raise ValueError("business_name is required by this template type")
        return self


class Sms(Step):
    """Step of a one-time password over SMS."""

    type: Literal["Sms"] = "Sms"
    message: Message
    from_: Annotated[str, StringConstraints(pattern=r"^([0-9]{1,16}|[A-Za-z0-9 ]{1,11})$")] = Field(alias="from")


class Flow(Model):
    """Flow of two steps."""

    flow: Annotated[list[Annotated[Viber | Sms, Field(discriminator="type")]], Field(min_length=1)]


class EchoedStep(BaseModel):
    """Step in the response."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    type: str | None = None
    order: int | None = None
    to: str | None = None
    tracking_id: str | None = None


class Receipt(BaseModel):
    """Response to a send."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    flow_id: str
    status: Literal["InProgress", "Succeeded", "Failed"] | str
    type: str | None = None
    created_at: datetime | None = None
    flow: list[EchoedStep] = []


# --- the three implementations


def encode_pydantic(to: str, pin: str) -> bytes:
    """Build, validate and encode a flow."""
    flow = Flow(
        flow=[
            Viber(
                order=1, to=to, ttl=MINUTE, sender_info_tracking_id=SENDER, template_id=TEMPLATE, pin=SecretStr(pin),
                template_type="with_business_name", business_name="Demo",
            ),
            Sms(order=2, to=to, ttl=THREE_MINUTES, message=Message(body=f"Your code is {pin}"), **{"from": "Demo"}),
        ]
    )  # fmt: skip
    return flow.model_dump_json(by_alias=True, exclude_none=True).encode()


def encode_ours(to: str, pin: str) -> bytes:
    """Build, validate and encode a flow."""
    flow = OtpFlow(
        steps=[
            ViberOtpStep(
                to=to, ttl=MINUTE, sender_info_tracking_id=SENDER, template_id=TEMPLATE, pin=pin,
                template_type="with_business_name", business_name="Demo",
            ),
            OtpSmsStep(to=to, ttl=THREE_MINUTES, message=f"Your code is {pin}", from_="Demo"),
        ]
    )  # fmt: skip
    return encode_flow(flow).reveal()


def encode_dict(to: str, pin: str) -> bytes:
    """Encode a flow without validation."""
    return orjson.dumps(
        {
            "flow": [
                {"type": "ViberOtp", "order": 1, "to": to, "ttl": 60, "senderInfoTrackingId": SENDER,
                 "templateId": TEMPLATE, "pin": pin, "templateType": "with_business_name", "businessName": "Demo"},
                {"type": "Sms", "order": 2, "to": to, "ttl": 180, "message": {"body": f"Your code is {pin}"},
                 "from": "Demo"},
            ]
        }
    )  # fmt: skip


def response_to(body: bytes) -> bytes:
    """Return Routee's response to a body: an echo with ids."""
    steps: list[dict[str, Any]] = orjson.loads(body)["flow"]
    steps[0]["trackingId"] = "7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e11"
    return orjson.dumps(
        {"flowId": "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04", "status": "InProgress", "type": "Viber", "flow": steps,
         "createdAt": "2026-01-01T10:00:00.123Z"}
    )  # fmt: skip


def read_ours(body: bytes) -> object:
    """Parse a typed receipt, and read its common fields."""
    receipt = parse_otp_receipt(body)
    return receipt.flow_id, receipt.status, receipt.created_at  # type: ignore[union-attr]


def read_ours_fully(body: bytes) -> object:
    """Parse a typed receipt, and read it down to the step that was sent."""
    receipt = parse_otp_receipt(body)
    return receipt.flow_id, receipt.status, receipt.created_at, receipt.sent_step.tracking_id  # type: ignore[union-attr]


def read_pydantic(body: bytes) -> object:
    """Parse a typed receipt."""
    receipt = Receipt.model_validate_json(body)
    return receipt.flow_id, receipt.status, receipt.created_at


def read_dict(body: bytes) -> object:
    """Parse without types."""
    response = orjson.loads(body)
    return response["flowId"], response["status"], response["createdAt"]


def microseconds(function: Callable[[int], object]) -> float:
    """Return the CPU time of one call in microseconds, over a round of calls."""
    start = time.process_time()
    for index in range(PER_ROUND):
        function(index)
    return (time.process_time() - start) / PER_ROUND * 1e6


def compare(title: str, functions: dict[str, Callable[[int], object]], baseline: str) -> None:
    """Time the functions alternately and print their medians and their ratio to the baseline."""
    for function in functions.values():
        microseconds(function)
    rounds = [{name: microseconds(function) for name, function in functions.items()} for _ in range(ROUNDS)]
    print(f"\n{title}")
    for name in functions:
        ratio = statistics.median(one[name] / one[baseline] for one in rounds)
        print(f"  {name:28} {statistics.median(one[name] for one in rounds):7.2f} us   {ratio:5.2f} of {baseline}")


def main() -> None:
    """Check that the implementations agree, then measure and print."""
    gc.disable()
    assert sorted(orjson.loads(encode_ours("+306900000001", "847291"))["flow"][0]) == sorted(
        orjson.loads(encode_pydantic("+306900000001", "847291"))["flow"][0]
    )
    numbers = [f"+3069{index:08d}" for index in range(PER_ROUND)]
    pins = [f"{index:06d}" for index in range(PER_ROUND)]
    compare(
        "out: build, check and encode (goal: ours at most 0.75 of pydantic)",
        {
            "pydantic": lambda i: encode_pydantic(numbers[i], pins[i]),
            "ours": lambda i: encode_ours(numbers[i], pins[i]),
            "dict + orjson, unchecked": lambda i: encode_dict(numbers[i], pins[i]),
        },
        "pydantic",
    )
    responses = [response_to(encode_dict(number, pin)) for number, pin in zip(numbers, pins, strict=True)]
    compare(
        "back: parse the response (goal: ours at most 1.00 of pydantic)",
        {
            "pydantic": lambda i: read_pydantic(responses[i]),
            "ours": lambda i: read_ours(responses[i]),
            "ours, with the sent step": lambda i: read_ours_fully(responses[i]),
            "orjson, untyped": lambda i: read_dict(responses[i]),
        },
        "pydantic",
    )


if __name__ == "__main__":
    main()
