"""Contract with aiohttp: its names stand in one module, and where one of them is gone, no outcome is wrong.

`python -m nox -s aiohttp` runs this, and everything else of the transport, on the lowest and the newest aiohttp.
"""

import ast
import gc
import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

import routee_failover._transport
from routee_failover import Outcome, RouteeClient, RouteeError
from routee_failover._transport import aiohttp_api
from tests.chaos.sample_flows import new_number, standard

from .raw_server import ACCEPTED, TOKEN_PATH, TOKEN_RESPONSE, RawServer, Reader, Writer, read_request, reset

USED: dict[str, tuple[type, ...]] = {
    "connect": (aiohttp.TCPConnector, aiohttp.BaseConnector),
    "close": (Connection,),
    "protocol": (Connection,),
    "transport": (Connection, BaseProtocol),
    "release": (Connection,),
    "is_ssl": (aiohttp.ClientRequest,),
    "connection_key": (aiohttp.ClientRequest,),
    "is_connected": (ResponseHandler,),
    "should_close": (ResponseHandler,),
    "exception": (ResponseHandler,),
    "set_response_params": (ResponseHandler,),
    "read": (ResponseHandler, aiohttp.StreamReader),
    "_parser": (BaseProtocol,),
    "is_eof": (aiohttp.StreamReader,),
    "read_nowait": (aiohttp.StreamReader,),
}
"""Attributes of aiohttp's classes that `aiohttp_api` uses, and the classes that have them."""
RESPONSE_ATTRIBUTES = ("code", "headers", "should_close")
"""Attributes of what the protocol reads, whose class is written in C."""
OTHER_ATTRIBUTES = {
    "origin", "scheme", "host_port_subcomponent", "get_running_loop", "proxy", "abort", "is_closing", "append",
    *RESPONSE_ATTRIBUTES, "Transport", "join",
}  # fmt: skip
"""Of URLs, asyncio's transports and loops, lists, and what a request object is given when it is made."""


class CountingHandler:
    """Handler that takes every message, counts it by recipient, and responds to every second one."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
                continue
            self.accepted[json.loads(request.partition(b"\r\n\r\n")[2])["flow"][0]["to"]] += 1
            if self.accepted.total() % 2 == 0:
                reset(writer)
                return
            writer.write(ACCEPTED)


async def _contradictions(break_aiohttp: Callable[[], None], **settings: Any) -> tuple[list[str], Counter[Outcome]]:
    """Send with an aiohttp that is whole and then with a broken one; return what contradicts the server's count."""
    handler, outcomes, problems = CountingHandler(), Counter[Outcome](), list[str]()
    async with RawServer(handler) as server, RouteeClient(server.config(**settings)) as client:
        for number in range(7):
            if number == 1:
                break_aiohttp()
            to = new_number()
            outcome = Outcome.ACCEPTED
            try:
                await client.send(standard(to, "Hi"))
            except RouteeError as error:
                outcome = error.outcome
            outcomes[outcome] += 1
            if handler.accepted[to] > 1 or (outcome is Outcome.NOT_SENT and handler.accepted[to]):
                problems.append(f"{outcome}, and accepted {handler.accepted[to]} times")
    return problems, outcomes


def _names() -> Iterator[tuple[str, type]]:
    for name, owners in USED.items():
        for owner in owners:
            if name in vars(owner):
                yield name, owner


@pytest.mark.filterwarnings("ignore")  # what is broken may leave a connection unclosed
@pytest.mark.parametrize(("name", "owner"), [*_names()], ids=lambda value: getattr(value, "__name__", value))
async def test_without_a_name_of_aiohttp_nothing_is_called_unsent_that_a_server_has_taken(
    name: str, owner: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name that is used is taken away in mid-run: no message is taken twice, and NOT_SENT stays true."""
    problems, outcomes = await _contradictions(lambda: monkeypatch.delattr(owner, name))
    monkeypatch.undo()
    gc.collect()
    assert problems == []
    assert outcomes[Outcome.ACCEPTED] >= 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RESPONSE_ATTRIBUTES)
async def test_without_an_attribute_of_a_response_its_outcome_is_unknown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response that cannot be read proves nothing: the message that was written is UNKNOWN, and sent once."""
    read = ResponseHandler.read

    async def read_without(self: ResponseHandler) -> Any:
        message, body = await read(self)
        kept = {attribute: getattr(message, attribute) for attribute in RESPONSE_ATTRIBUTES if attribute != name}
        return SimpleNamespace(**kept), body

    problems, outcomes = await _contradictions(lambda: monkeypatch.setattr(ResponseHandler, "read", read_without))
    monkeypatch.undo()
    gc.collect()
    assert (problems, outcomes) == ([], {Outcome.ACCEPTED: 1, Outcome.UNKNOWN: 6})


HOOKS = ("send_request_start", "send_connection_create_end", "send_connection_reuseconn", "send_request_headers")


@pytest.mark.parametrize("names", [HOOKS, *((name,) for name in HOOKS)], ids="+".join)
async def test_session_whose_hooks_are_not_called_leads_to_no_wrong_outcome(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An aiohttp that has renamed hooks never calls ours: what was lost is UNKNOWN, and nothing is sent twice."""

    async def not_called(*_args: object) -> None:
        pass

    def rename() -> None:
        for name in names:
            monkeypatch.setattr(Trace, name, not_called)

    problems, outcomes = await _contradictions(rename, session_factory=aiohttp.ClientSession)
    assert problems == []
    assert outcomes == {Outcome.ACCEPTED: 4, Outcome.UNKNOWN: 3}


def test_every_name_of_aiohttp_that_the_transport_uses_is_in_one_module() -> None:
    """No other module of the transport imports aiohttp, and the names that this test takes away are all there are."""
    folder = Path(routee_failover._transport.__file__).parent
    importing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "aiohttp" and not node.level)
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "aiohttp" for alias in node.names))
    }
    assert importing == {"aiohttp_api.py"}
    attributes = {
        node.attr for node in ast.walk(ast.parse(inspect.getsource(aiohttp_api))) if isinstance(node, ast.Attribute)
    }
    assert attributes <= {*USED, *OTHER_ATTRIBUTES}
