"""Search against the sandbox: flows are found by the documented conditions, page by page, while others are sent."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import (
    Channel,
    Filter,
    FlowKind,
    FlowReceipt,
    FlowRecord,
    FlowStatus,
    InvalidSearch,
    OtpRecord,
    RouteeClient,
    Search,
)
from routee_failover.sandbox import Sandbox

from .sample_flows import otp, sms, standard, transactional

FAILING = "+306900000222"
VIBER_UNDELIVERED = "+306900000100"
DELIVERED = "+306900000000"
UNDELIVERED = "+306900000110"
EXPIRING = "+306900000030"


@asynccontextmanager
async def _client(**settings: Any) -> AsyncIterator[RouteeClient]:
    async with Sandbox(**settings) as sandbox, RouteeClient(sandbox.config(circuit_breaker=False)) as client:
        yield client


async def _read_all(search: Search[Any]) -> list[Any]:
    return [record async for record in search]


async def _ids(search: Search[Any]) -> list[str | None]:
    return [record.tracking_id if isinstance(record, FlowRecord) else record.flow_id async for record in search]


async def _until_final(client: RouteeClient, *receipts: Any) -> None:
    for receipt in receipts:
        record = await client.track(receipt)
        while not record.final:
            await asyncio.sleep(0.005)
            record = await client.track(receipt)


async def test_search_finds_flows_by_each_term() -> None:
    """Recipient, status, channel, last channel and kind each find the flows that match."""
    async with _client(speed=100_000) as client:
        failed = await client.send(standard(FAILING))
        over = await client.send(standard(VIBER_UNDELIVERED))
        text = await client.send(sms(DELIVERED))
        template = await client.send(transactional(DELIVERED))
        await _until_final(client, failed, over, text, template)
        found = {
            "to": await _ids(client.search(to=DELIVERED)),
            "status": await _ids(client.search(status="failed")),
            "type": await _ids(client.search(type=Channel.VIBER)),
            "last": await _ids(client.search(termination_channel="sms", status=FlowStatus.SUCCEEDED)),
            "kind": await _ids(client.search(flow_kind=FlowKind.TRANSACTIONAL)),
            "both": await _ids(client.search(to=DELIVERED, flow_kind="standard")),
        }
    assert found == {
        "to": [text.tracking_id, template.tracking_id],
        "status": [failed.tracking_id],
        "type": [failed.tracking_id, over.tracking_id, template.tracking_id],
        "last": [over.tracking_id, text.tracking_id],
        "kind": [template.tracking_id],
        "both": [text.tracking_id],
    }


async def test_search_finds_flows_by_each_operator() -> None:
    """The operators find what they say; several conditions find flows that match all of them."""
    async with _client() as client:
        numbers = ["+306900000001", "+306900000011", "+441234567890"]
        ids = [(await client.send(sms(number))).tracking_id for number in numbers]

        async def found(*conditions: Filter) -> list[int]:
            return [ids.index(str(tracking_id)) for tracking_id in await _ids(client.search(where=conditions))]

        assert await found(Filter("to", "is", numbers[0])) == [0]
        assert await found(Filter("to", "is_not", numbers[0])) == [1, 2]
        assert await found(Filter("to", "contains", "0000001")) == [0, 1]
        assert await found(Filter("to", "starts_with", "+44")) == [2]
        assert await found(Filter("to", "ends_with", "11")) == [1]
        assert await found(Filter("to", "starts_with", "+30"), Filter("to", "ends_with", "11")) == [1]
        assert await found(Filter("type", "is_not", "Sms")) == []


async def test_time_range_is_exact_although_routee_filters_by_minute() -> None:
    """Of flows that were sent within one minute, those in the range are found and no others."""
    async with _client() as client:
        times = []
        for _ in range(3):
            receipt = await client.send(sms())
            assert receipt.created_at is not None
            times.append(receipt.created_at)
            await asyncio.sleep(0.002)
        assert len(set(times)) == 3
        step = timedelta(milliseconds=1)
        assert len(await _read_all(client.search(since=times[1]))) == 2
        assert len(await _read_all(client.search(since=times[1] + step))) == 1
        assert len(await _read_all(client.search(until=times[1]))) == 1
        assert len(await _read_all(client.search(since=times[0], until=times[1] + step))) == 2
        page = await client.search(since=times[2]).page(0)
        assert [record.created_at for record in page.records] == [times[2]]
        assert page.total_elements == 3
        assert await _read_all(client.search(until=times[0] - timedelta(days=1))) == []


async def _keep_sending(client: RouteeClient) -> None:
    for number in itertools.count():
        await client.send(sms(f"+44{number:010}"))


async def test_search_finds_each_of_1000_flows_once_while_others_are_sent() -> None:
    """Each of a thousand flows is found once, however many others arrive while they are read."""
    async with _client() as client:
        flows = (sms(f"+3069000{number:05}") for number in range(1000))
        sent = {
            result.receipt.tracking_id
            async for result in client.send_all(flows)
            if isinstance(result.receipt, FlowReceipt)
        }
        assert len(sent) == 1000
        background = asyncio.create_task(_keep_sending(client))
        found = await _ids(client.search(page_size=37))
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
    assert len(found) > 1000
    assert len(found) == len(set(found))
    assert sent <= set(found)


async def test_search_keeps_matching_flows_while_others_stop_matching() -> None:
    """Flows that stop matching shift the list forward; those that match throughout are found all the same."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as client:
        for _ in range(15):
            await client.send(sms(DELIVERED))
        slow = [(await client.send(sms(EXPIRING))).tracking_id for _ in range(15)]
        records = aiter(client.search(where=[Filter("status", "is_not", "Succeeded")], page_size=10))
        found = [await anext(records) for _ in range(5)]
        await sandbox.advance(timedelta(minutes=1))
        found += [record async for record in records]
    ids = [record.tracking_id for record in found]
    assert len(ids) == len(set(ids))
    assert set(slow) <= set(ids)


async def test_page_returns_one_page_with_its_numbers() -> None:
    """Paging by hand returns Routee's page with its numbers, and an empty one past the end."""
    async with _client() as client:
        ids = [(await client.send(sms())).tracking_id for _ in range(7)]
        search = client.search(page_size=3)
        pages = [await search.page(number) for number in range(4)]
    assert [[record.tracking_id for record in page.records] for page in pages] == [ids[:3], ids[3:6], ids[6:], []]
    assert [(page.number, page.size, page.total_pages, page.total_elements, page.last) for page in pages] == [
        *((0, 3, 3, 7, False), (1, 3, 3, 7, False)),
        *((2, 3, 3, 7, True), (3, 3, 3, 7, True)),
    ]


async def test_otp_search_finds_flows_by_each_term() -> None:
    """Status, label, number and id find OTP flows, with and without the plus of the number."""
    async with _client(speed=100_000) as client:
        failed, succeeded = await client.send(otp(UNDELIVERED)), await client.send(otp(DELIVERED))
        await _until_final(client, failed, succeeded)
        assert await _ids(client.search_otp(status="failed")) == [failed.flow_id]
        assert await _ids(client.search_otp(phone_number=DELIVERED)) == [succeeded.flow_id]
        assert await _ids(client.search_otp(phone_number=DELIVERED[1:])) == [succeeded.flow_id]
        assert await _ids(client.search_otp(flow_id=succeeded.flow_id, status=FlowStatus.SUCCEEDED)) == [
            succeeded.flow_id
        ]
        assert await _ids(client.search_otp(tag="login")) == []
        (record,) = await _read_all(client.search_otp(flow_id=failed.flow_id))
    assert isinstance(record, OtpRecord)
    assert record.failover is not None
    assert record.failover.final


async def test_otp_search_finds_each_flow_once_while_others_are_sent() -> None:
    """All OTP flows come once, by iteration and page by page, while others are sent."""
    async with _client() as client:
        ids = [(await client.send(otp())).flow_id for _ in range(25)]
        found: list[str | None] = []
        async for record in client.search_otp(page_size=4):
            found.append(record.flow_id)
            if len(found) < 10:
                await client.send(otp())
        assert found[:25] == ids
        assert len(found) == len(set(found)) == 34
        page = await client.search_otp(page_size=10).page(3)
        assert (page.total, page.limit, page.offset, len(page.records)) == (34, 10, 30, 4)
        assert (await client.search_otp(page_size=10).page(4)).records == ()


async def _read_cancelling(records: AsyncIterator[Any]) -> list[Any]:
    """Read all of an iterator, cancelling each read after some number of loop iterations."""
    found: list[Any] = []
    for iterations in itertools.cycle(range(40)):
        reading = asyncio.create_task(_next(records))
        for _ in range(iterations):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            record = await reading
            if record is None:
                break
            found.append(record)
    return found


async def _next(records: AsyncIterator[Any]) -> Any:
    return await anext(records, None)


async def test_cancelled_search_iterator_resumes_without_loss_or_duplicates() -> None:
    """After a cancellation within a page the same iterator continues: nothing is lost, nothing comes twice."""
    async with _client() as client:
        flows = [(await client.send(sms())).tracking_id for _ in range(20)]
        otps = [(await client.send(otp())).flow_id for _ in range(20)]
        assert [record.tracking_id for record in await _read_cancelling(aiter(client.search(page_size=3)))] == flows
        assert [record.flow_id for record in await _read_cancelling(aiter(client.search_otp(page_size=3)))] == otps


async def test_concurrent_readers_of_one_iterator_share_its_records() -> None:
    """Tasks that read from one iterator get each record once between them."""
    async with _client() as client:
        ids = [(await client.send(sms())).tracking_id for _ in range(20)]
        records = aiter(client.search(page_size=3))
        found = await asyncio.gather(*(_next(records) for _ in range(25)))
    assert sorted(record.tracking_id for record in found if record is not None) == sorted(ids)
    assert found.count(None) == 5


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "10", None])
async def test_invalid_page_size_is_refused(wrong: Any) -> None:
    """A page holds a whole number of flows, at least one; otherwise no request is made."""
    async with _client() as client:
        for search in (client.search, client.search_otp):
            with pytest.raises(InvalidSearch, match="page_size: must be a whole number of at least 1"):
                search(page_size=wrong)


@pytest.mark.parametrize("wrong", [-1, True, 1.0, "0", None])
async def test_invalid_page_number_is_refused(wrong: Any) -> None:
    """Pages are counted from 0."""
    async with _client() as client:
        for search in (client.search(), client.search_otp()):
            with pytest.raises(InvalidSearch, match="takes a whole number, counted from 0"):
                await search.page(wrong)


async def test_invalid_otp_terms_are_all_reported_without_numbers() -> None:
    """All problems are reported at once, and no number is quoted."""
    async with _client() as client:
        with pytest.raises(InvalidSearch) as caught:
            client.search_otp(status="Delivered", tag="", phone_number=306900000001, flow_id=b"f")  # type: ignore[arg-type]
    assert [str(problem) for problem in caught.value.problems] == [
        "status: must be one of Queued, InProgress, Succeeded, Failed; pass a new one as FlowStatus(...)",
        "tag: must not be empty",
        "phone_number: must be text, not int",
        "flow_id: must be text, not bytes",
    ]
    assert "3069" not in str(caught.value)


async def test_search_repr_masks_phone_numbers() -> None:
    """The repr of a search shows its conditions, with numbers masked."""
    async with _client() as client:
        searches = [client.search(to=FAILING, status="failed"), client.search_otp(phone_number=FAILING, tag="x")]
    text = repr(searches)
    assert FAILING[1:] not in text
    assert "'Failed'" in text
    assert "tag='x'" in text


async def test_events_of_a_search_hold_no_phone_number() -> None:
    """The conditions are in bodies and queries, which no event holds."""
    events: list[object] = []

    class Recorder:
        def observe(self, event: object) -> None:
            events.append(event)

    async with Sandbox() as sandbox, RouteeClient(sandbox.config(observers=[Recorder()])) as client:
        await _read_all(client.search(to=FAILING))
        await _read_all(client.search_otp(phone_number=FAILING))
    assert len(events) >= 4
    assert FAILING[1:] not in repr(events)


async def test_search_is_created_without_a_running_loop() -> None:
    """A search can be created without a running event loop, and read in one later, several times."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        search = await asyncio.to_thread(client.search)
        receipt = await client.send(sms())
        for _ in range(2):
            assert await _ids(search) == [receipt.tracking_id]
