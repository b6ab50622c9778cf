"""The receivers in every framework, behind real servers: what is answered, and what reaches the inbox."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from routee_failover import CallbackEvent, CallbackInbox, CallbackSigner, FlowRecord, InvalidConfig, OtpRecord
from routee_failover.webhooks import AsgiReceiver, aiohttp_receiver
from routee_failover.webhooks.parse import MAX_CALLBACK_SIZE

from .payloads import INBOUND, NEW, OLD, OTP, PHONE, PIN, WORDS, body_of, flow
from .recorders import Heard, Notes
from .servers import AT, SERVERS, Serve

KEY = "k" * 40
EVERYWHERE = pytest.mark.parametrize("serve", SERVERS.values(), ids=SERVERS)


def signer_at(url: str = "https://login.example.com") -> CallbackSigner:
    """A signer for a receiver that is mounted at an address."""
    return CallbackSigner(KEY, base_url=url + AT)


@EVERYWHERE
async def test_callbacks_arrive(serve: Serve) -> None:
    """Every kind of callback that is posted to a signed address is answered 200 and handed out with its intent."""
    async with CallbackInbox() as inbox, serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        heard = Heard(inbox)
        for number, shape in enumerate((NEW, OLD, OTP, INBOUND)):
            async with session.post(signer_at(url).url(f"intent-{number}"), data=body_of(shape)) as answer:
                assert (answer.status, await answer.text()) == (200, "OK")
        events = await heard.count(4)
    assert [(event.kind, event.reference) for event in events] == [
        ("flow", "intent-0"),
        ("flow", "intent-1"),
        ("otp", "intent-2"),
        ("inbound", "intent-3"),
    ]


@EVERYWHERE
async def test_only_who_was_given_an_address(serve: Serve) -> None:
    """Made-up, altered, expired and incomplete addresses look alike: a plain 404 that says nothing."""
    notes, now = Notes(), 1_767_225_600.0
    inbox = CallbackInbox(observers=[notes])
    mine = CallbackSigner(KEY, base_url="https://x.example", valid_for=timedelta(seconds=60), clock=lambda: now)
    other = CallbackSigner("o" * 40, base_url="https://x.example")
    good = mine.url("login").rpartition("/")[2]
    async with serve(inbox, mine) as url, aiohttp.ClientSession() as session:
        answers = []
        for path in (other.url("login").rpartition("/")[2], good[:-1], good + "A", "login", "", f"{good}/x", "%00"):
            async with session.post(f"{url}{AT}/{path}", data=body_of(NEW)) as answer:
                answers.append((answer.status, await answer.text(), answer.headers["Content-Type"]))
        now += 62
        async with session.post(f"{url}{AT}/{good}", data=body_of(NEW)) as answer:
            answers.append((answer.status, await answer.text(), answer.headers["Content-Type"]))
    assert set(answers) == {(404, "Not Found", "text/plain; charset=utf-8")}
    assert inbox.pending == 0
    assert notes.refused == [404] * 8


@EVERYWHERE
async def test_only_post(serve: Serve) -> None:
    """Any other method is a 405 that allows POST, whether the address is good or not."""
    async with serve(CallbackInbox(), signer_at()) as url, aiohttp.ClientSession() as session:
        for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
            for address in (signer_at(url).url("login"), f"{url}{AT}/nobody"):
                async with session.request(method, address) as answer:
                    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@EVERYWHERE
async def test_what_is_no_callback(serve: Serve) -> None:
    """A body that is no callback is a plain 400, which makes Routee repeat it until somebody has had a look."""
    notes = Notes()
    async with serve(CallbackInbox(observers=[notes]), signer_at()) as url, aiohttp.ClientSession() as session:
        for body in (b"", b"{", b"[]", body_of({"hello": PIN}), b"\xff\xfe"):
            async with session.post(signer_at(url).url("login"), data=body) as answer:
                assert (answer.status, await answer.text()) == (400, "Bad Request")
    assert notes.refused == [400] * 5
    assert PIN not in repr(notes.events)


@EVERYWHERE
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "?"])
async def test_any_content_type(serve: Serve, content_type: str) -> None:
    """JSON is read whatever it is called."""
    inbox = CallbackInbox()
    async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        headers = {"Content-Type": content_type}
        async with session.post(signer_at(url).url("login"), data=body_of(NEW), headers=headers) as answer:
            assert answer.status == 200
        assert inbox.pending == 1


def in_pieces(body: bytes, size: int) -> aiohttp.AsyncIterablePayload:
    """A body whose length is not announced."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]
            await asyncio.sleep(0)

    return aiohttp.AsyncIterablePayload(pieces())


@EVERYWHERE
@pytest.mark.parametrize("limit", [MAX_CALLBACK_SIZE, 5000])
async def test_body_limit(serve: Serve, limit: int) -> None:
    """A body above the limit is a 413, whether its length is announced or found out; one at the limit is read."""
    inbox = CallbackInbox()
    async with serve(inbox, signer_at(), max_body_size=limit) as url, aiohttp.ClientSession() as session:
        address = signer_at(url).url("login")
        async with session.post(address, data=b" " * (limit + 1)) as answer:
            assert (answer.status, await answer.text()) == (413, "Content Too Large")
        async with session.post(address, data=in_pieces(b" " * (limit + 1), 1000)) as answer:
            assert answer.status == 413
        async with session.post(address, data=body_of(NEW).ljust(limit)) as answer:
            assert answer.status == 200
    assert inbox.pending <= 1


@EVERYWHERE
async def test_bodies_in_pieces(serve: Serve) -> None:
    """A body that comes in small pieces is one callback."""
    inbox = CallbackInbox()

    async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        async with session.post(signer_at(url).url("login"), data=in_pieces(body_of(NEW), 100)) as answer:
            assert answer.status == 200
        assert (await anext(inbox)).record.raw["trackingId"] == "t-1"


@EVERYWHERE
async def test_slow_handlers_hold_nothing_up(serve: Serve) -> None:
    """However long a handler takes, Routee has its answer within its 2 seconds; without room it is a quick 503."""
    notes, go, heard = Notes(), asyncio.Event(), Heard()
    async with CallbackInbox(capacity=3, concurrency=1, observers=[notes]) as inbox:

        @inbox.on_flow
        async def slow(event: CallbackEvent[FlowRecord]) -> None:
            await go.wait()
            await heard(event)

        async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
            address, statuses = signer_at(url).url("login"), []
            async with asyncio.timeout(2):
                for number in range(6):
                    async with session.post(address, data=body_of(flow(identity=str(number)))) as answer:
                        statuses.append(answer.status)
            assert statuses == [200, 200, 200, 200, 503, 503]
            go.set()
            await heard.count(4)
            for number in (4, 5):
                async with session.post(address, data=body_of(flow(identity=str(number)))) as answer:
                    assert answer.status == 200
            await heard.count(6)
    assert sorted(str(event.tracking_id) for event in heard.events) == list("012345")
    assert notes.refused == [503, 503]


@EVERYWHERE
async def test_repeats_are_answered_well(serve: Serve) -> None:
    """A callback that was here is answered 200, or Routee would go on repeating it."""
    async with CallbackInbox() as inbox, serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        heard = Heard(inbox)
        for _ in range(3):
            async with session.post(signer_at(url).url("login"), data=body_of(NEW)) as answer:
                assert answer.status == 200
        await heard.count(1)
    assert len(heard.events) == 1


@EVERYWHERE
async def test_without_a_signer(serve: Serve) -> None:
    """Without a signer any address below the mount takes callbacks, with no intent."""
    inbox = CallbackInbox(shutdown_timeout=timedelta(seconds=0.01))
    async with serve(inbox, None) as url, aiohttp.ClientSession() as session:
        for path in ("", "/", "/anything", "/a/b"):
            async with session.post(f"{url}{AT}{path}", data=body_of(flow(identity=f"t{path}"))) as answer:
                assert answer.status == 200, path
        assert (await anext(inbox)).reference is None


@EVERYWHERE
async def test_nothing_secret_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """No log line holds a PIN, a number, a text, or an address that anybody could call."""
    caplog.set_level(logging.DEBUG)
    async with CallbackInbox() as inbox:

        @inbox.on_flow
        async def fail(event: CallbackEvent[FlowRecord]) -> None:
            raise RuntimeError(repr(event.record.raw))

        async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
            address = signer_at(url).url("login")
            for body in (body_of(NEW), body_of(NEW), body_of(NEW)[:-9], body_of({"pin": PIN}), body_of(OTP)):
                async with session.post(address, data=body) as answer:
                    assert PIN not in await answer.text()
            async with session.post(f"{url}{AT}/nobody", data=body_of(NEW)) as answer:
                assert answer.status == 404
    for secret in (PIN, PHONE, PHONE[1:], WORDS, KEY, address.rpartition("/")[2][:20]):
        assert secret not in caplog.text
    assert "fail raised RuntimeError on a callback (flow t-1)" in caplog.text


@pytest.mark.parametrize("receiver", [aiohttp_receiver, AsgiReceiver])
def test_arguments_that_cannot_work(receiver: type[AsgiReceiver]) -> None:
    """An argument that cannot work is refused at once."""
    inbox, signer = CallbackInbox(), signer_at()
    with pytest.raises(InvalidConfig, match="takes a CallbackInbox first"):
        receiver(signer, inbox)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="takes a CallbackSigner second"):
        receiver(inbox, KEY)  # type: ignore[arg-type]
    for limit in (0, True, 1.5):
        with pytest.raises(InvalidConfig, match="max_body_size must be"):
            receiver(inbox, signer, max_body_size=limit)  # type: ignore[arg-type]
    for within in (timedelta(0), 2):
        with pytest.raises(InvalidConfig, match="body_timeout must be"):
            receiver(inbox, signer, body_timeout=within)  # type: ignore[arg-type]


async def test_a_close_of_the_server_closes_the_inbox() -> None:
    """An aiohttp server, and an ASGI server that runs the receiver alone, let handlers end before they are gone."""
    for name in ("aiohttp", "asgi alone"):
        inbox, heard = CallbackInbox(), Heard()

        @inbox.on_otp
        async def slow(event: CallbackEvent[OtpRecord], heard: Heard = heard) -> None:
            await asyncio.sleep(0.05)
            await heard(event)

        async with (
            SERVERS[name](inbox, None) as url,
            aiohttp.ClientSession() as session,
            session.post(f"{url}{AT}", data=body_of(OTP)) as answer,
        ):
            assert answer.status == 200
        assert len(heard.events) == 1
        assert inbox.receive(NEW) == "no room"
