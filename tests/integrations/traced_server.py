"""Fake Routee that keeps the headers of every request, token requests included, and what a client sends to it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import attrs
from aiohttp import web
from multidict import CIMultiDict

from routee_failover import RouteeClient
from tests.client.fake_routee import FakeRoutee, ReceivedRequest, Responder, token_response
from tests.client.sample_flows import CANARIES, sms

TOKEN = "canary-token"
SECRETS = (*CANARIES, TOKEN, "canary-key", "YXBwbGljYXRpb246Y2FuYXJ5LWtleQ")
"""What no trace may hold: PIN, text, number, token, secret, and Basic authorization of the token request."""

NOWHERE = "http://127.0.0.1:1"
"""A base URL to which no connection can be made."""


def accepted_response(status: int = 200, tracking_id: str = "t-1") -> web.Response:
    """The response to a standard flow, with any status."""
    return web.json_response({"trackingId": tracking_id}, status=status)


@attrs.frozen
class TracedRequest:
    """A request with the headers that a trace adds; `customer` is the text of its SMS, empty if it sends none."""

    path: str
    customer: str
    headers: CIMultiDict[str]


class TracedRoutee(FakeRoutee):
    """Fake Routee whose `traced` lists all requests in the order in which they came."""

    def __init__(self, respond: Responder | None = None) -> None:
        super().__init__(self._respond_traced, self._token)
        self._inner = respond or self._accept
        self.traced: list[TracedRequest] = []

    async def _respond_traced(self, request: ReceivedRequest) -> web.StreamResponse:
        self._keep(request)
        return await self._inner(request)

    async def _token(self, request: ReceivedRequest) -> web.StreamResponse:
        self._keep(request)
        return token_response(f"{TOKEN}-{self.token_requests}")

    def _keep(self, request: ReceivedRequest) -> None:
        customer = json.loads(request.body)["flow"][0]["message"]["body"] if request.path == "/failover" else ""
        self.traced.append(TracedRequest(request.path, customer, CIMultiDict(request.headers)))

    @property
    def messages(self) -> list[TracedRequest]:
        """The sends."""
        return [request for request in self.traced if request.customer]

    @property
    def tokens(self) -> list[TracedRequest]:
        """The token requests."""
        return [request for request in self.traced if "oauth" in request.path]


async def send_for(client: RouteeClient, customer: str) -> None:
    """Send an SMS whose text is the name of a customer."""
    await client.send(sms(text=customer))


async def send_in_turn(send: Callable[[str], Any], count: int) -> list[str]:
    """Send for some customers, one after the other, and return their names."""
    customers = [f"customer-{number}" for number in range(count)]
    for customer in customers:
        await send(customer)
    return customers


async def send_at_once(send: Callable[[str], Any], count: int) -> list[str]:
    """Send for some customers concurrently, each in a task of its own, and return their names."""
    customers = [f"customer-{number}" for number in range(count)]
    await asyncio.gather(*(send(customer) for customer in customers))
    return customers
