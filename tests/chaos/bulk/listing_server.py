"""A faulty server that also shows what it took, as Routee's lists do, and no sooner than its search lag."""

import json
import random
import time
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.chaos.faults import ALL_FAULTS, NO_FAULT, Fault, Request, http
from tests.chaos.faulty_server import FaultSource, FaultyServer
from tests.chaos.server_loop import ServerLoop

OTP_ID, FLOW_ID = "f-1", "t-1"
"""The ids in every receipt of this server: a message is known by its recipient here."""
FAULTS: tuple[Fault, ...] = tuple(dict.fromkeys(fault for fault in ALL_FAULTS if fault is not NO_FAULT))


def random_faults(seed: int, share: float = 0.13) -> FaultSource:
    """A fault of any kind for this share of all requests."""
    chance = random.Random(seed)
    return lambda: chance.choice(FAULTS) if chance.random() < share else NO_FAULT


class AcceptedMessage(NamedTuple):
    """A message that the server took."""

    at: float
    when: str
    to: str
    label: str | None


class ListingServer(FaultyServer):
    """Takes messages, loses answers, and lists what it took after `lag` seconds."""

    def __init__(self, server_loop: ServerLoop, lag: float = 0.0) -> None:
        super().__init__(server_loop)
        self.lag = lag
        self.messages_by_recipient: dict[str, list[AcceptedMessage]] = {}

    def store(self, number: str, request: Request) -> None:
        """Put a message that was taken into the book."""
        body = json.loads(request.body)
        steps = body.get("flow", [body])
        labels = (step.get("label") or (step.get("message") or {}).get("label") for step in steps)
        when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        entry = AcceptedMessage(time.monotonic(), when, number, next(filter(None, labels), None))
        self.messages_by_recipient.setdefault(number, []).append(entry)

    def respond(self, request: Request) -> bytes:
        """One of the two lists, or the receipt that says nothing."""
        path = request.head.split(b" ")[1].decode()
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if path.startswith("/failover-otp/otp/failover?"):
            return _said(self._otps(query))
        if path.startswith("/failover/tracking"):
            return _said(self._flows(query, json.loads(request.body)))
        return super().respond(request)

    def _shown(self, number: str) -> list[AcceptedMessage]:
        seen_by = time.monotonic() - self.lag
        return [entry for entry in self.messages_by_recipient.get(number, []) if entry.at <= seen_by]

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


def _said(value: Any) -> bytes:
    return http("200 OK", json.dumps(value).encode(), "Content-Type: application/json")
