"""Cost of receiving a callback: `python benchmarks/callbacks.py`.

The same bytes are parsed in alternating rounds of one run: with `json.loads` and `orjson.loads`, which know nothing of
Routee, and with `parse_callback`, which validates, determines the kind and types the common fields; then with every
message and step read as well. After that the other work of a receiver: verifying a URL, and receiving a callback in an
inbox, a new one and a duplicate. The figures to read are the ratios.
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


def standard(tracking_id: str = "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04", parts: int = 1) -> dict[str, Any]:
    """Return the callback of a flow whose Viber message expired and whose SMS arrived, in `parts` parts."""
    action = {"caption": "Open", "targetUrl": "https://example.test/"}
    viber = _message(1, "Viber", "EXPIRED", body={"text": "Hello Ada, your parcel is on its way", "action": action})
    sms = [
        _message(2, "Sms", "Delivered", body="Hello Ada", smsId=f"s-{part}", part=part, parts=parts, operator="Op")
        for part in range(1, parts + 1)
    ]
    return {
        "trackingId": tracking_id,
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


def otp(tracking_id: str = "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04") -> dict[str, Any]:
    """Return the callback of a one-time password that failed over."""
    steps = [
        {"trackingId": f"7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e{number}", "role": role, "status": status,
         "channel": channel, "phone_number": "306900000001", "price": 0.02}
        for number, role, status, channel in ((11, "primary", "EXPIRED", "viber"), (12, "failover", "queued", "sms"))
    ]  # fmt: skip
    return {"flowId": tracking_id, "status": "Succeeded", "statusCode": None, "total_cost": 0.05, "steps": steps}


INBOUND = {
    "from": PHONE,
    "to": "aaaaaaaa-0000-4000-8000-000000000001",
    "message": "Was that you?",
    "sentDate": "2026-01-01T10:20:00Z",
    "referenceTrackingId": "7c1cf7a6-6f9b-43a6-9a14-4b8b0f6f5e11",
    "direction": "Inbound",
}


def receive_callback(body: bytes) -> object:
    """Parse a callback, and read every message or step."""
    record = parse_callback(body)
    if isinstance(record, FlowRecord):
        return [(message.status, message.price) for message in record.messages]
    return [(step.status, step.price) for step in record.steps] if isinstance(record, OtpRecord) else record


def microseconds(function: Callable[[], object], calls: int = PER_ROUND) -> float:
    """Return the CPU time of one call in microseconds, over a round of calls."""
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls * 1e6


def cycle_over(items: Iterable[Any], function: Callable[[Any], object]) -> Callable[[], object]:
    """Return a function that calls `function` with the next item each time."""
    iterator = iter(items)
    return lambda: function(next(iterator))


def compare(title: str, body: bytes) -> None:
    """Time the functions alternately and print their medians and their ratios to the two baselines."""
    functions: dict[str, Callable[[], object]] = {
        "json.loads": lambda: json.loads(body),
        "orjson.loads": lambda: orjson.loads(body),
        "parse_callback": lambda: parse_callback(body),
        "with every message": lambda: receive_callback(body),
    }
    rounds = [{name: microseconds(function) for name, function in functions.items()} for _ in range(ROUNDS)]
    print(f"\n{title}, {len(body)} bytes")
    for name in functions:
        json_ratio, orjson_ratio = (
            statistics.median(one[name] / one[baseline] for one in rounds)
            for baseline in ("json.loads", "orjson.loads")
        )
        cost = statistics.median(one[name] for one in rounds)
        print(f"  {name:20} {cost:7.2f} us   {json_ratio:5.2f} of json   {orjson_ratio:5.2f} of orjson")


def measure_receiving() -> None:
    """Measure the work of a receiver beyond parsing."""
    signer = CallbackSigner("k" * 43, base_url="https://login.example.com/routee")
    segment = signer.url("login-4711").rpartition("/")[2]
    inbox = CallbackInbox(notify=lambda _record: None, observers=[])
    count = 20 * PER_ROUND
    bodies = [orjson.dumps(standard(f"flow-{number}")) for number in range(count)]
    repeated = bodies[-1]
    costs = {
        "parse_callback": min(microseconds(lambda: parse_callback(repeated)) for _ in range(20)),
        "sign a URL": min(microseconds(lambda: signer.url("login-4711")) for _ in range(20)),
        "verify a URL": min(microseconds(lambda: signer.verify(segment)) for _ in range(20)),
        "receive a new one": microseconds(cycle_over(bodies, inbox.receive), count),
        "receive a duplicate": min(microseconds(lambda: inbox.receive(repeated)) for _ in range(20)),
    }
    print("\nwork of a receiver")
    for name, cost in costs.items():
        print(f"  {name:20} {cost:7.2f} us")


def main() -> None:
    """Measure and print."""
    gc.disable()
    for title, shape in (("a flow", standard()), ("a flow of ten parts", standard(parts=10)), ("an OTP flow", otp())):
        compare(title, orjson.dumps(shape))
    compare("an inbound message", orjson.dumps(INBOUND))
    measure_receiving()


if __name__ == "__main__":
    main()
