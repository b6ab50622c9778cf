"""Faulty server that also lists what it accepted, as Routee's lists do, after its search lag."""

import json
import random
import time
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.chaos.faults import ALL_FAULTS, NO_FAULT, Fault, Request, http
from tests.chaos.faulty_server import FaultSource, FaultyServer
from tests.chaos.server_loop import ServerLoop

OTP_ID, FLOW_ID = "f-1", "t-1"
"""The ids in every receipt of this server: it identifies messages by their recipients."""
FAULTS: tuple[Fault, ...] = tuple(dict.fromkeys(fault for fault in ALL_FAULTS if fault is not NO_FAULT))


def random_faults(seed: int, share: float = 0.13) -> FaultSource:
    """Return a source of random faults for this share of all requests."""
    rng = random.Random(seed)
    return lambda: rng.choice(FAULTS) if rng.random() < share else NO_FAULT


class AcceptedMessage(NamedTuple):
    """Message that the server accepted."""

    at: float
    when: str
    to: str
    label: str | None


class ListingServer(FaultyServer):
    """Server that accepts messages, loses responses, and lists what it accepted after `lag` seconds."""

    def __init__(self, server_loop: ServerLoop, lag: float = 0.0) -> None:
        super().__init__(server_loop)
        self.lag = lag
        self.messages_by_recipient: dict[str, list[AcceptedMessage]] = {}

    def store(self, number: str, request: Request) -> None:
        """Store an accepted message."""
        body = json.loads(request.body)
        steps = body.get("flow", [body])
        labels = (step.get("label") or (step.get("message") or {}).get("label") for step in steps)
        when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        entry = AcceptedMessage(time.monotonic(), when, number, next(filter(None, labels), None))
        self.messages_by_recipient.setdefault(number, []).append(entry)

    def respond(self, request: Request) -> bytes:
        """Respond with one of the two lists, or with the receipt of the base class."""
        path = request.head.split(b" ")[1].decode()
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if path.startswith("/failover-otp/otp/failover?"):
            return _json_response(self._otps(query))
        if path.startswith("/failover/tracking"):
            return _json_response(self._flows(query, json.loads(request.body)))
        return super().respond(request)

    def _shown(self, number: str) -> list[AcceptedMessage]:
        latest = time.monotonic() - self.lag
        return [entry for entry in self.messages_by_recipient.get(number, []) if entry.at <= latest]

    def _otps(self, query: dict[str, str]) -> dict[str, Any]:
        number = "+" + query["phone_number"].strip().removeprefix("+")
        found = [entry for entry in self._shown(number) if "tag" not in query or entry.label == query["tag"]]
        offset, limit = int(query["offset"]), int(query["limit"])
        results = [{"flowId": OTP_ID, "status": "Succeeded", "created_at": entry.when} for entry in found]
        return {"total": len(found), "limit": limit, "offset": offset, "results": results[offset : offset + limit]}

    def _flows(self, query: dict[str, str], filters: list[dict[str, str]]) -> dict[str, Any]:
        number = next(term["searchTerm"] for term in filters if term["fieldName"] == "to")
        found = self._shown(number)
        page, size = int(query["page"]), int(query["size"])
        content = [
            {
                "trackingId": FLOW_ID,
                "status": "Succeeded",
                "createdAt": entry.when,
                "messages": [{"type": "Sms", "to": entry.to, "label": entry.label, "order": 1}],
            }
            for entry in found
        ]
        return {
            "content": content[page * size : (page + 1) * size],
            "totalElements": len(found),
            "totalPages": -(-len(found) // size),
            "number": page,
            "size": size,
            "first": page == 0,
            "last": (page + 1) * size >= len(found),
        }


def _json_response(value: Any) -> bytes:
    return http("200 OK", json.dumps(value).encode(), "Content-Type: application/json")
