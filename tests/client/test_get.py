"""`get`: any other reading call, with token, retries and errors, and never to another host."""

import json
from decimal import Decimal
from typing import Any, assert_type

import pytest
from aiohttp import web
from yarl import URL

from routee_failover import ConnectFailed, Forbidden, InvalidSearch, NoResponse, NotFound, RouteeClient
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, always, config_for


@pytest.mark.parametrize("body", [{"a": [1, None]}, [], "text", 1.5, None, True])
async def test_json_of_the_response_is_returned_whatever_its_shape(body: Any) -> None:
    """A GET with a token returns what the response's JSON is."""
    async with FakeRoutee(always(200, body)) as server, RouteeClient(server.config()) as client:
        assert assert_type(await client.get("/accounts/me"), Any) == body
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/accounts/me", b"")
    assert request.headers["Authorization"] == "Bearer token-1"


async def test_documented_reading_calls_work_by_path() -> None:
    """The paths of calls that the client has methods for give the same JSON as these."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        balance = await client.get("/accounts/me/balance")
        assert balance == (await client.balance()).raw
        templates = await client.get("/failover-otp/otp/templates")
        assert templates == [template.raw for template in await client.otp_templates()]
        found = await client.get("/failover-otp/otp/failover", {"limit": 1, "offset": 0})
        assert found == await client.get("/failover-otp/otp/failover?limit=1", {"offset": 0})


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("/", None, "/"),
        ("/a/b-c_d.e~f/", {}, "/a/b-c_d.e~f/"),
        ("/a/%C3%A9%2Fb", None, "/a/%C3%A9%2Fb"),
        ("/a?x=1&y=&z", None, "/a?x=1&y=&z"),
        ("/a?q=a%26b%2B%3D", None, "/a?q=a%26b%2B%3D"),
        ("/a", {"to": "+306912345678", "q": "ä &=/?#%"}, "/a?to=%2B306912345678&q=%C3%A4%20%26%3D%2F%3F%23%25"),
        ("/a", {"n": 7, "f": 0.5, "yes": True, "no": False}, "/a?n=7&f=0.5&yes=true&no=false"),
        ("/a", {"id": ["1", 2], "tuple": ("x",), "none": []}, "/a?id=1&id=2&tuple=x"),
        ("/a?x=1", {"y": "2"}, "/a?x=1&y=2"),
        ("/v..1/...", None, "/v..1/..."),
    ],
)
async def test_path_and_parameters_are_sent_as_given(path: str, params: Any, sent: str) -> None:
    """The path is sent as it is, and each parameter is encoded, so that it arrives as it was given."""
    async with FakeRoutee(always(200, {})) as server, RouteeClient(server.config()) as client:
        await client.get(path, params)
    assert _same(server.requests[0].path, sent)


def _same(received: str, expected: str) -> bool:
    """Compare two targets by their parts, since both spellings of an unreserved character are one."""
    one, other = URL(f"http://h{received}", encoded=True), URL(f"http://h{expected}", encoded=True)
    return one.raw_path == other.raw_path and [*one.query.items()] == [*other.query.items()]


BAD_PATHS = [
    "",
    "accounts/me",
    "https://example.test/accounts",
    "http://connect.routee.net/accounts",
    "//example.test/accounts",
    "/\\example.test",
    "\\\\example.test",
    "/a\\..\\b",
    "/..",
    "/../a",
    "/a/../b",
    "/a/./b",
    "/a/..",
    "/a/%2e%2e/b",
    "/a/%2E./b",
    "/a/.%2e",
    "/a%2f..%2fb",
    "/a%5c..%5cb",
    "/a/%252e%252e/b",
    "/a/..;x=1/b",
    "/a b",
    "/a\tb",
    "/a\r\nX: y",
    "/a%0d%0aX",
    "/a%00",
    "/ä",
    "/a#b",
    "/a%",
    "/a%zz",
    "/a?x=%4",
    "/a?",
    "/a?&",
    "/a?x=1&",
    "/a?x=1&&y=2",
    "/a?=1",
    "/a?x=1?y=2",
    "/a?x=a b",
    "/a?x=+30",
    "/a?x=1#y",
    "/a?x=ä",
    "@example.test/",
    ":80/a",
    None,
    7,
    b"/a",
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=repr)
async def test_path_that_is_no_path_of_the_api_is_refused(path: Any) -> None:
    """A URL, a path that leaves the API, or a malformed query raises `InvalidSearch`, and no request is made."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidSearch, match=r"^get: path: "):
            await client.get(path)
    assert (server.requests, server.token_requests) == ([], 0)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"x": None}, "x"),
        ({"x": {"y": 1}}, "x"),
        ({"x": b"1"}, "x"),
        ({"x": float("nan")}, "x"),
        ({"x": Decimal(1)}, "x"),
        ({"x": ["1", None]}, "x"),
        ({"x": "\ud83d"}, "x"),
        ({"": "1"}, ""),
        ({1: "1"}, ""),
        ("x=1", ""),
        ([("x", "1")], ""),
    ],
)
async def test_parameter_that_cannot_be_sent_is_refused_by_name(params: Any, name: str) -> None:
    """Parameters are texts, numbers, true or false, or lists of them; nothing else is guessed."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidSearch) as raised:
            await client.get("/a", params)
    (problem,) = raised.value.problems
    assert problem.path == (("params", name) if name else ("params",))
    assert server.requests == []


async def test_failed_read_is_retried_and_a_rejection_raised() -> None:
    """A read that got no usable answer is repeated, and a rejection is raised as by every reading call."""

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        if request.path == "/missing":
            return web.json_response({"developerMessage": "no such thing"}, status=404)
        if request.path == "/forbidden":
            return web.json_response({}, status=403)
        if len(server.requests) == 1:
            return web.Response(status=503)
        return web.json_response({"n": len(server.requests)})

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        assert await client.get("/flaky") == {"n": 2}
        with pytest.raises(NotFound, match="no such thing"):
            await client.get("/missing")
        with pytest.raises(Forbidden):
            await client.get("/forbidden")


@pytest.mark.parametrize("text", ["<html>", "", "{"])
async def test_response_that_is_not_json_raises_no_response(text: str) -> None:
    """A response without JSON raises `NoResponse`; nothing was changed."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(text=text)

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="is not JSON"):
            await client.get("/a")


async def test_redirect_is_not_followed() -> None:
    """An answer that points to another host is a rejection: no token leaves for it."""
    async with FakeRoutee() as other, FakeRoutee(always(302, {}, Location="http://127.0.0.1:9/")) as server:
        async with RouteeClient(server.config()) as client:
            with pytest.raises(Exception, match="302"):
                await client.get("/a")
        assert other.requests == []


async def test_path_is_below_the_base_path_of_the_api() -> None:
    """Where the API has a base path, the path is below it."""
    async with FakeRoutee(always(200, {})) as server:
        config = config_for(f"{server.url}/base", auth_url=server.url)
        async with RouteeClient(config) as client:
            assert json.dumps(await client.get("/a")) == "{}"
    assert server.requests[0].path == "/base/a"


async def test_unreachable_api_raises_connect_failed() -> None:
    """Without a connection nothing reached Routee."""
    async with FakeRoutee(always(200, {})) as server:
        config = config_for("http://127.0.0.1:9", auth_url=server.url)
        async with RouteeClient(config) as client:
            with pytest.raises(ConnectFailed):
                await client.get("/a")
