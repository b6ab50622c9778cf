"""What a callback costs on its way in: `python benchmarks/callbacks.py`.

Reading the same bytes in alternating rounds of one run: `json.loads` and `orjson.loads`, which know nothing of Routee,
beside `parse_callback`, which checks, tells the kinds apart and types what every reader wants; then with every message
and step read as well. Below it what a receiver does beyond that: checking an address, and taking a callback into an
inbox, a new one and a repeat. The figures to read are the ratios.
"""

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from routee_failover import CallbackInbox, CallbackSigner, FlowRecord, OtpRecord, parse_callback

ROUNDS, PER_ROUND = 60, 500
PHONE = "+306900000001"


def _message(number: int, kind: str, status: str, **more: Any) -> dict[str, Any]:
    reason = {"detailedStatus": "TTL Expired", "description": "The time to live of the message has passed"}
    when = "2026-01-01T10:10:00.000Z"
    return {
        "type": kind,
        "trackingId": f"7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e{number:02d}",
        "to": PHONE,
        "from": "Demo",
        "country": "GR",
        "ttl": 10,
        "status": {"name": status, "reason": reason, "updatedDate": when},
        "label": "demo",
        "failoverOnStatuses": ["Undelivered", "Failed"],
        "order": number,
        "price": 0.03,
        "createdAt": when,
        **more,
    }


def standard(identity: str = "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04", parts: int = 1) -> dict[str, Any]:
    """A flow whose Viber message expired and whose SMS arrived, in so many parts."""
    action = {"caption": "Open", "targetUrl": "https://example.test/"}
    viber = _message(1, "Viber", "EXPIRED", body={"text": "Hello Ada, your parcel is on its way", "action": action})
    sms = [
        _message(2, "Sms", "Delivered", body="Hello Ada", smsId=f"s-{part}", part=part, parts=parts, operator="Op")
        for part in range(1, parts + 1)
    ]
    return {
        "trackingId": identity,
        "messages": [viber, *sms],
        "terminationChannel": "Sms",
        "status": "Succeeded",
        "statusCode": None,
        "totalPrice": 0.04,
        "originatingService": "Failover",
        "applicationId": "0123456789abcdef01234567",
        "createdAt": "2026-01-01T10:00:00.000Z",
        "updatedAt": "2026-01-01T10:10:05.500Z",
    }


def otp(identity: str = "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04") -> dict[str, Any]:
    """A one-time password that failed over."""
    steps = [
        {"trackingId": f"7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e{number}", "role": role, "status": status,
         "channel": channel, "phone_number": "306900000001", "price": 0.02}
        for number, role, status, channel in ((11, "primary", "EXPIRED", "viber"), (12, "failover", "queued", "sms"))
    ]  # fmt: skip
    return {"flowId": identity, "status": "Succeeded", "statusCode": None, "total_cost": 0.05, "steps": steps}


INBOUND = {
    "from": PHONE,
    "to": "aaaaaaaa-0000-4000-8000-000000000001",
    "message": "Was that you?",
    "sentDate": "2026-01-01T10:20:00Z",
    "referenceTrackingId": "7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e11",
    "direction": "Inbound",
}


def receive_callback(body: bytes) -> object:
    """Parse, and read every message or step."""
    record = parse_callback(body)
    if isinstance(record, FlowRecord):
        return [(message.status, message.price) for message in record.messages]
    return [(step.status, step.price) for step in record.steps] if isinstance(record, OtpRecord) else record


def microseconds(work: Callable[[], object], times: int = PER_ROUND) -> float:
    """CPU time of one call, over a round of calls."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times * 1e6


def cycle_over(items: Iterable[Any], work: Callable[[Any], object]) -> Callable[[], object]:
    """A call that takes the next item each time."""
    coming = iter(items)
    return lambda: work(next(coming))


def compare(title: str, body: bytes) -> None:
    """Time the ways in turn and print their medians and their ratios to the two that stand still."""
    ways: dict[str, Callable[[], object]] = {
        "json.loads": lambda: json.loads(body),
        "orjson.loads": lambda: orjson.loads(body),
        "parse_callback": lambda: parse_callback(body),
        "with every message": lambda: receive_callback(body),
    }
    rounds = [{name: microseconds(work) for name, work in ways.items()} for _ in range(ROUNDS)]
    print(f"\n{title}, {len(body)} bytes")
    for name in ways:
        of_json, of_orjson = (
            statistics.median(one[name] / one[still] for one in rounds) for still in ("json.loads", "orjson.loads")
        )
        cost = statistics.median(one[name] for one in rounds)
        print(f"  {name:20} {cost:7.2f} us   {of_json:5.2f} of json   {of_orjson:5.2f} of orjson")


def receiving() -> None:
    """What a receiver does beyond parsing."""
    signer = CallbackSigner("k" * 43, base_url="https://login.example.com/routee")
    segment = signer.url("login-4711").rpartition("/")[2]
    inbox = CallbackInbox(notify=lambda _record: None, observers=[])
    count = 20 * PER_ROUND
    bodies = [orjson.dumps(standard(f"flow-{number}")) for number in range(count)]
    again = bodies[-1]
    found = {
        "parse_callback": min(microseconds(lambda: parse_callback(again)) for _ in range(20)),
        "make an address": min(microseconds(lambda: signer.url("login-4711")) for _ in range(20)),
        "check an address": min(microseconds(lambda: signer.verify(segment)) for _ in range(20)),
        "take a new callback": microseconds(cycle_over(bodies, inbox.receive), count),
        "know a repeat": min(microseconds(lambda: inbox.receive(again)) for _ in range(20)),
    }
    print("\nwhat a receiver does")
    for name, cost in found.items():
        print(f"  {name:20} {cost:7.2f} us")


def main() -> None:
    """Measure and print."""
    gc.disable()
    for title, shape in (("a flow", standard()), ("a flow of ten parts", standard(parts=10)), ("an OTP flow", otp())):
        compare(title, orjson.dumps(shape))
    compare("what a person wrote", orjson.dumps(INBOUND))
    receiving()


if __name__ == "__main__":
    main()
