"""Search with pages that are not as documented: nothing is lost silently, and no search runs forever."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routee_failover import BadRequest, Filter, NoResponse, NotFound, RouteeClient

from .fake_routee import FakeRoutee, ReceivedRequest, Responder, always

Json = dict[str, Any]
Page = Callable[[int, int], object]
"""The response to a page number and page size, or to an offset and limit."""

FLOWS: list[Json] = [{"trackingId": f"t-{number}", "status": "Failed"} for number in range(25)]
OTPS: list[Json] = [{"flowId": f"f-{number}", "status": "Failed"} for number in range(25)]


def _page(number: int, size: int, flows: list[Json] = FLOWS) -> Json:
    """A page as documented."""
    pages = -(-len(flows) // size)
    content = flows[number * size : (number + 1) * size]
    return {
        "content": content,
        "totalPages": pages,
        "totalElements": len(flows),
        "number": number,
        "size": size,
        "numberOfElements": len(content),
        "first": number == 0,
        "last": number >= pages - 1,
    }


def _without(*keys: str) -> Page:
    return lambda number, size: {key: value for key, value in _page(number, size).items() if key not in keys}


def _serving(page: Page) -> Responder:
    """A responder with pages for both searches, whose queries and responses differ."""

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if "limit" in query:
            return web.json_response(page(int(query["offset"]), int(query["limit"])))
        return web.json_response(page(int(query["page"]), int(query["size"])))

    return respond


async def _search(page: Page, page_size: int = 4, **terms: Any) -> tuple[list[str | None], int]:
    async with FakeRoutee(_serving(page)) as server, RouteeClient(server.config()) as client:
        found = [record.tracking_id async for record in client.search(page_size=page_size, **terms)]
        return found, len(server.requests)


async def _search_otp(page: Page, page_size: int = 4) -> tuple[list[str | None], int]:
    async with FakeRoutee(_serving(page)) as server, RouteeClient(server.config()) as client:
        found = [record.flow_id async for record in client.search_otp(page_size=page_size)]
        return found, len(server.requests)


ALL = [flow["trackingId"] for flow in FLOWS]


@pytest.mark.parametrize(
    ("page", "requests"),
    [
        (_page, 7),
        (_without("last"), 7),
        (_without("totalPages", "totalElements"), 7),
        (_without("totalPages", "totalElements", "last"), 8),
        (_without("totalPages", "totalElements", "last", "number", "size"), 8),
        (_without("totalElements", "size", "last"), 7),
        (lambda number, size: _page(number, size) | {"last": True}, 7),
        (lambda number, size: _page(number, size) | {"totalPages": 1, "last": "no"}, 7),
        (lambda number, size: _page(number, size) | {"number": str(number), "totalElements": "25"}, 7),
        (lambda number, size: _page(number, size) | {"number": number + 1}, 7),
    ],
)
async def test_any_single_page_count_is_enough_to_find_all_flows(page: Page, requests: int) -> None:
    """Totals, pages or `last` may be missing, or contradict each other: all flows are found, with as few requests."""
    assert await _search(page) == (ALL, requests)


@pytest.mark.parametrize("missing", [[], ["size"], ["size", "totalPages", "totalElements", "last"], ["totalElements"]])
@pytest.mark.parametrize("page_size", [4, 100])
async def test_server_that_ignores_the_page_size_loses_no_flows(missing: list[str], page_size: int) -> None:
    """A server that uses another page size than requested, and may not even say so, loses no flow."""
    found, requests = await _search(lambda number, _size: _without(*missing)(number, 10), page_size)
    assert found == ALL
    assert requests <= 4


@pytest.mark.parametrize(
    "content", [{"content": [], "totalElements": 0}, {"content": None, "totalElements": 0}, {"totalElements": 0}]
)
async def test_empty_list_finds_nothing(content: Json) -> None:
    """An empty list is an empty list, also if only the total says so."""
    assert await _search(lambda number, size: content) == ([], 1)


def _stuck(number: int, size: int) -> Json:
    return _page(0, size)


LENGTHS: Iterator[int] = itertools.cycle([1000, 990])
MALFORMED: dict[str, Page] = {
    r"is page 0, but page 1 was requested": _stuck,
    r"10 pages in a row held nothing new": lambda number, size: _without("number")(0, size),
    r"10 pages in a row held nothing new:": lambda number, size: {"content": FLOWS[:3], "last": False},
    r"says that more flows follow, but holds none": lambda number, size: (
        _page(number, size) if number < 2 else _page(number, size) | {"content": []}
    ),
    r"says that more flows follow, but holds none;": lambda number, size: {"content": [], "last": False},
    r"has no list of flows \(content\)": lambda number, size: {"totalElements": 3},
    r"has no list of flows \(content\);": lambda number, size: _page(number, size) | {"content": {"t-1": {}}},
    r"lists a flow that is not an object": lambda number, size: _page(number, size) | {"content": ["t-1", {}]},
    r"is not a JSON object": lambda number, size: FLOWS,
    r"the page size changed from 4 to 5": lambda number, size: _page(number, size) | {"size": 4 + number % 2},
    r"another length of the list": lambda number, size: {
        "content": [{"trackingId": f"t-{number * size + place}"} for place in range(size)],
        "totalElements": next(LENGTHS),
    },
}


@pytest.mark.parametrize("reason", MALFORMED)
async def test_malformed_pages_raise_no_response(reason: str) -> None:
    """Pages that cannot be read on without losing flows end in `NoResponse` with a reason, after a bounded number."""
    with pytest.raises(NoResponse, match=reason) as caught:
        await _search(MALFORMED[reason])
    assert "t-1" not in str(caught.value)


async def test_iterator_continues_after_an_error() -> None:
    """After a malformed page the same iterator requests it again, and continues."""
    repaired = False

    def page(number: int, size: int) -> Json:
        return _page(number, size) | ({} if repaired or number != 3 else {"content": None})

    async with FakeRoutee(_serving(page)) as server, RouteeClient(server.config()) as client:
        records = aiter(client.search(page_size=4))
        found = [(await anext(records)).tracking_id for _ in range(12)]
        with pytest.raises(NoResponse, match="has no list of flows"):
            await anext(records)
        repaired = True
        found += [record.tracking_id async for record in records]
    assert found == ALL


async def test_flows_without_an_id_are_distinguished_by_content() -> None:
    """A flow without an id is identified by its content; flows that differ are different flows."""
    flows: list[Json] = [{"status": "Failed", "price": number} for number in range(9)]
    serving = _serving(lambda number, size: _page(number, size, flows))
    async with FakeRoutee(serving) as server, RouteeClient(server.config()) as client:
        found = [record.raw["price"] async for record in client.search(page_size=4)]
    assert found == list(range(9))


async def test_newest_first_list_yields_each_flow_once_while_others_arrive() -> None:
    """If the newest come first, new flows push others to the next page: they are read again and not yielded twice."""
    flows = list(FLOWS)

    def page(number: int, size: int) -> Json:
        flows.insert(0, {"trackingId": f"new-{len(flows)}"})
        return _page(number, size, flows)

    found, _ = await _search(page)
    assert [tracking_id for tracking_id in found if str(tracking_id).startswith("t-")] == ALL
    assert len(found) == len(set(found))


async def test_flows_that_contradict_the_conditions_are_skipped() -> None:
    """A server that ignores the conditions, or reads an older state, does not get its flows into the result."""
    flows = [{"trackingId": str(number), "status": status} for number, status in enumerate(["Failed", "Queued", None])]
    found, _ = await _search(lambda number, size: _page(number, size, flows), status="Failed")
    assert found == ["0", "2"]


KINDS: list[Json] = [{"trackingId": "a", "flowKind": "standard"}, {"trackingId": "b", "flowKind": "transactional"}]


def _refusing_kind(flows: list[Json]) -> Responder:
    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        if b"flowKind" in request.body:
            return web.json_response({"code": "400000000", "developerMessage": "No such field"}, status=400)
        return web.json_response(_page(0, 50, flows))

    return respond


async def test_flow_kind_is_filtered_by_the_client_if_routee_rejects_it() -> None:
    """A Routee that does not filter by flowKind is queried without it, once it has said so."""
    async with FakeRoutee(_refusing_kind(KINDS)) as server, RouteeClient(server.config()) as client:
        search = client.search(flow_kind="transactional", status="Failed")
        assert [record.tracking_id async for record in search] == ["b"]
        assert [record.tracking_id for record in (await search.page(0)).records] == ["b"]
        bodies = [json.loads(request.body) for request in server.requests]
    status = {"fieldName": "status", "searchOperator": "is", "searchTerm": "Failed"}
    kind = {"fieldName": "flowKind", "searchOperator": "is", "searchTerm": "transactional"}
    assert bodies == [[status, kind], [status], [status]]


async def test_unknown_flow_kind_raises_no_response() -> None:
    """If neither Routee filters by kind nor its flows name theirs, no flow is included or skipped by guessing."""
    async with FakeRoutee(_refusing_kind(FLOWS)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="neither filters by flowKind nor returns the flowKind"):
            [record async for record in client.search(where=[Filter("flowKind", "is_not", "standard")])]


async def test_rejected_search_raises_bad_request() -> None:
    """A 400 is Routee's own message if no flowKind was sent, and if omitting it does not help."""
    rejection = always(400, {"developerMessage": "The range is too long"})
    for terms in ({}, {"flow_kind": "standard"}):
        async with FakeRoutee(rejection) as server, RouteeClient(server.config()) as client:
            with pytest.raises(BadRequest, match="The range is too long"):
                [record async for record in client.search(**terms)]  # type: ignore[arg-type]
            assert len(server.requests) == 1 + len(terms)


async def test_search_request_is_a_repeatable_post() -> None:
    """A POST with a list of conditions, empty if there are none; it is repeated as every read call is."""
    responses = iter([web.json_response({}, status=500), web.json_response(_page(0, 50, []))])

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return next(responses)

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        assert [record async for record in client.search()] == []
    assert [(request.method, request.body, request.headers["Content-Type"]) for request in server.requests] == [
        ("POST", b"[]", "application/json")
    ] * 2
    assert re.fullmatch(r"/failover/tracking\?dateEnd=[-0-9]+T[0-9:]+Z&page=0&size=50", server.requests[0].path)


def _list(offset: int, limit: int) -> Json:
    return {"total": len(OTPS), "limit": limit, "offset": offset, "results": OTPS[offset : offset + limit]}


OTP_ALL = [flow["flowId"] for flow in OTPS]


@pytest.mark.parametrize(
    ("page", "requests"),
    [
        (_list, 7),
        (lambda offset, limit: {"results": _list(offset, limit)["results"]}, 8),
        (lambda offset, limit: _list(offset, min(limit, 3)), 9),
        (lambda offset, limit: _list(offset, limit + 1), 5),
    ],
)
async def test_otp_list_without_totals_finds_all_flows(page: Page, requests: int) -> None:
    """Without totals, or with pages of its own size, a server's OTP flows are all found."""
    assert await _search_otp(page) == (OTP_ALL, requests)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (lambda offset, limit: _list(0, limit), "begins with the first flow, but 4 flows were to be skipped"),
        (lambda offset, limit: {"results": OTPS[:4]}, "10 pages in a row held nothing new"),
        (lambda offset, limit: {"results": [], "total": 5}, "says that more flows follow, but holds none"),
        (lambda offset, limit: {"total": 5}, r"has no list of flows \(results\)"),
        (lambda offset, limit: {"results": [None]}, "lists a flow that is not an object"),
    ],
)
async def test_malformed_otp_pages_raise_no_response(page: Page, reason: str) -> None:
    """The same for the list of OTP flows."""
    with pytest.raises(NoResponse, match=reason):
        await _search_otp(page)


async def test_otp_flows_that_contradict_the_terms_are_skipped() -> None:
    """A flow whose own fields contradict the terms is not a result."""
    async with FakeRoutee(_serving(_list)) as server, RouteeClient(server.config()) as client:
        assert [record async for record in client.search_otp(status="Succeeded")] == []
        assert [record.flow_id async for record in client.search_otp(flow_id="F-3", tag="x")] == ["f-3"]
        assert (await client.search_otp(status="Queued").page(0)).records == ()


async def test_otp_search_terms_are_quoted_in_the_query() -> None:
    """The terms are in the query, quoted, and the number without its plus."""
    async with FakeRoutee(_serving(_list)) as server, RouteeClient(server.config()) as client:
        await client.search_otp(phone_number="+30 69&x", tag="a b+c#", status="failed").page(2)
    assert server.requests[0].path == (
        "/failover-otp/otp/failover?status=Failed&tag=a%20b%2Bc%23&phone_number=30%2069%26x&limit=50&offset=100"
    )


async def test_404_of_the_otp_list_raises_not_found() -> None:
    """Routee documents a 404 for the list without its meaning: it is not taken for an empty one."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NotFound):
            [record async for record in client.search_otp(tag="x")]


SCALARS = st.none() | st.booleans() | st.integers(-3, 40) | st.sampled_from(["1", "x", 1e300])
ENTRIES = st.lists(st.fixed_dictionaries({"trackingId": SCALARS, "flowId": SCALARS}) | SCALARS, max_size=5) | SCALARS
NAMES = ["totalPages", "totalElements", "number", "size", "last", "total", "limit", "offset"]
PAGE = st.fixed_dictionaries({"content": ENTRIES, "results": ENTRIES}, optional=dict.fromkeys(NAMES, SCALARS))
PAGES = st.lists(PAGE, min_size=1, max_size=6)


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(PAGES)
async def test_search_ends_for_arbitrary_pages(pages: list[Json]) -> None:
    """Pages of any shape, one after the other and then the last forever, end in flows or in `NoResponse`."""

    def serve() -> Page:
        remaining = iter(pages)
        return lambda number, size: next(remaining, pages[-1])

    for search, id_name in ((_search, "trackingId"), (_search_otp, "flowId")):
        try:
            found, requests = await search(serve())
        except NoResponse:
            continue
        assert len(found) <= 5 * len(pages), id_name
        assert requests <= 100
