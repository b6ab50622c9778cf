"""The receivers in every framework, behind real servers: responses, and what reaches the inbox."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from routee_failover import CallbackEvent, CallbackInbox, CallbackSigner, FlowRecord, InvalidConfig, OtpRecord
from routee_failover.webhooks import AsgiReceiver, aiohttp_receiver
from routee_failover.webhooks.parse import MAX_CALLBACK_SIZE

from .payloads import INBOUND, NEW, OLD, OTP, PHONE, PIN, VIBER_OTP, WORDS, body_of, flow
from .recorders import RecordingHandler, RecordingObserver
from .servers import MOUNT_PATH, SERVERS, Serve

KEY = "k" * 40
EVERYWHERE = pytest.mark.parametrize("serve", SERVERS.values(), ids=SERVERS)


def signer_at(url: str = "https://login.example.com") -> CallbackSigner:
    """Return a signer for a receiver that is mounted at a URL."""
    return CallbackSigner(KEY, base_url=url + MOUNT_PATH)


@EVERYWHERE
async def test_every_kind_of_callback_is_accepted_and_dispatched(serve: Serve) -> None:
    """Every kind of callback posted to a signed URL gets a 200 and is dispatched with its reference."""
    async with CallbackInbox() as inbox, serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        handler = RecordingHandler(inbox)
        for number, payload in enumerate((NEW, OLD, OTP, INBOUND, VIBER_OTP)):
            async with session.post(signer_at(url).url(f"reference-{number}"), data=body_of(payload)) as response:
                assert (response.status, await response.text()) == (200, "OK")
        events = await handler.wait_for(5)
    assert [(event.kind, event.reference) for event in events] == [
        ("flow", "reference-0"),
        ("flow", "reference-1"),
        ("otp", "reference-2"),
        ("inbound", "reference-3"),
        ("viber-otp", "reference-4"),
    ]


@EVERYWHERE
async def test_invalid_urls_are_a_plain_404(serve: Serve) -> None:
    """Forged, altered, expired and incomplete URLs look alike: a plain 404 without details."""
    observer, now = RecordingObserver(), 1_767_225_600.0
    inbox = CallbackInbox(observers=[observer])
    signer = CallbackSigner(KEY, base_url="https://x.example", valid_for=timedelta(seconds=60), clock=lambda: now)
    other = CallbackSigner("o" * 40, base_url="https://x.example")
    valid = signer.url("login").rpartition("/")[2]
    async with serve(inbox, signer) as url, aiohttp.ClientSession() as session:
        responses = []
        for path in (other.url("login").rpartition("/")[2], valid[:-1], valid + "A", "login", "", f"{valid}/x", "%00"):
            async with session.post(f"{url}{MOUNT_PATH}/{path}", data=body_of(NEW)) as response:
                responses.append((response.status, await response.text(), response.headers["Content-Type"]))
        now += 62
        async with session.post(f"{url}{MOUNT_PATH}/{valid}", data=body_of(NEW)) as response:
            responses.append((response.status, await response.text(), response.headers["Content-Type"]))
    assert set(responses) == {(404, "Not Found", "text/plain; charset=utf-8")}
    assert inbox.pending == 0
    assert observer.rejected == [404] * 8


@EVERYWHERE
async def test_other_methods_are_a_405(serve: Serve) -> None:
    """Any other method is a 405 that allows POST, whether the URL is valid or not."""
    async with serve(CallbackInbox(), signer_at()) as url, aiohttp.ClientSession() as session:
        for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
            for address in (signer_at(url).url("login"), f"{url}{MOUNT_PATH}/unknown"):
                async with session.request(method, address) as response:
                    assert (response.status, response.headers["Allow"]) == (405, "POST")


@EVERYWHERE
async def test_invalid_body_is_a_plain_400(serve: Serve) -> None:
    """A body that is not a callback is a plain 400, which makes Routee repeat it until the cause is found."""
    observer = RecordingObserver()
    async with serve(CallbackInbox(observers=[observer]), signer_at()) as url, aiohttp.ClientSession() as session:
        for body in (b"", b"{", b"[]", body_of({"hello": PIN}), b"\xff\xfe"):
            async with session.post(signer_at(url).url("login"), data=body) as response:
                assert (response.status, await response.text()) == (400, "Bad Request")
    assert observer.rejected == [400] * 5
    assert PIN not in repr(observer.events)


@EVERYWHERE
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "?"])
async def test_content_type_does_not_matter(serve: Serve, content_type: str) -> None:
    """JSON is read whatever its declared type is."""
    inbox = CallbackInbox()
    async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        headers = {"Content-Type": content_type}
        async with session.post(signer_at(url).url("login"), data=body_of(NEW), headers=headers) as response:
            assert response.status == 200
        assert inbox.pending == 1


def chunked(body: bytes, size: int) -> aiohttp.AsyncIterablePayload:
    """Return a body whose length is not declared."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]
            await asyncio.sleep(0)

    return aiohttp.AsyncIterablePayload(chunks())


@EVERYWHERE
@pytest.mark.parametrize("limit", [MAX_CALLBACK_SIZE, 5000])
async def test_body_above_the_limit_is_a_413(serve: Serve, limit: int) -> None:
    """A body above the limit is a 413, whether its length is declared or not; one at the limit is read."""
    inbox = CallbackInbox()
    async with serve(inbox, signer_at(), max_body_size=limit) as url, aiohttp.ClientSession() as session:
        address = signer_at(url).url("login")
        async with session.post(address, data=b" " * (limit + 1)) as response:
            assert (response.status, await response.text()) == (413, "Content Too Large")
        async with session.post(address, data=chunked(b" " * (limit + 1), 1000)) as response:
            assert response.status == 413
        async with session.post(address, data=body_of(NEW).ljust(limit)) as response:
            assert response.status == 200
    assert inbox.pending <= 1


@EVERYWHERE
async def test_chunked_body_is_one_callback(serve: Serve) -> None:
    """A body that comes in small chunks is one callback."""
    inbox = CallbackInbox()

    async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        async with session.post(signer_at(url).url("login"), data=chunked(body_of(NEW), 100)) as response:
            assert response.status == 200
        assert (await anext(inbox)).record.raw["trackingId"] == "t-1"


@EVERYWHERE
async def test_slow_handler_does_not_delay_the_response(serve: Serve) -> None:
    """However long a handler takes, Routee gets its response within its 2 seconds; from a full inbox, a quick 503."""
    observer, proceed, recorder = RecordingObserver(), asyncio.Event(), RecordingHandler()
    async with CallbackInbox(capacity=3, concurrency=1, observers=[observer]) as inbox:

        @inbox.on_flow
        async def slow(event: CallbackEvent[FlowRecord]) -> None:
            await proceed.wait()
            await recorder(event)

        async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
            address, statuses = signer_at(url).url("login"), []
            async with asyncio.timeout(2):
                for number in range(6):
                    async with session.post(address, data=body_of(flow(tracking_id=str(number)))) as response:
                        statuses.append(response.status)
            assert statuses == [200, 200, 200, 200, 503, 503]
            proceed.set()
            await recorder.wait_for(4)
            for number in (4, 5):
                async with session.post(address, data=body_of(flow(tracking_id=str(number)))) as response:
                    assert response.status == 200
            await recorder.wait_for(6)
    assert sorted(str(event.tracking_id) for event in recorder.events) == list("012345")
    assert observer.rejected == [503, 503]


@EVERYWHERE
async def test_duplicate_callback_is_a_200(serve: Serve) -> None:
    """A duplicate callback gets a 200, or Routee would keep repeating it."""
    async with CallbackInbox() as inbox, serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
        handler = RecordingHandler(inbox)
        for _ in range(3):
            async with session.post(signer_at(url).url("login"), data=body_of(NEW)) as response:
                assert response.status == 200
        await handler.wait_for(1)
    assert len(handler.events) == 1


@EVERYWHERE
async def test_without_a_signer_any_path_is_accepted(serve: Serve) -> None:
    """Without a signer any path below the mount accepts callbacks, without a reference."""
    inbox = CallbackInbox(shutdown_timeout=timedelta(seconds=0.01))
    async with serve(inbox, None) as url, aiohttp.ClientSession() as session:
        for path in ("", "/", "/anything", "/a/b"):
            async with session.post(f"{url}{MOUNT_PATH}{path}", data=body_of(flow(tracking_id=f"t{path}"))) as response:
                assert response.status == 200, path
        assert (await anext(inbox)).reference is None


@EVERYWHERE
async def test_no_secret_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """No log line holds a PIN, a number, a text, or a valid callback URL."""
    caplog.set_level(logging.DEBUG)
    async with CallbackInbox() as inbox:

        @inbox.on_flow
        async def fail(event: CallbackEvent[FlowRecord]) -> None:
            raise RuntimeError(repr(event.record.raw))

        async with serve(inbox, signer_at()) as url, aiohttp.ClientSession() as session:
            address = signer_at(url).url("login")
            for body in (body_of(NEW), body_of(NEW), body_of(NEW)[:-9], body_of({"pin": PIN}), body_of(OTP)):
                async with session.post(address, data=body) as response:
                    assert PIN not in await response.text()
            async with session.post(f"{url}{MOUNT_PATH}/unknown", data=body_of(NEW)) as response:
                assert response.status == 404
    for secret in (PIN, PHONE, PHONE[1:], WORDS, KEY, address.rpartition("/")[2][:20]):
        assert secret not in caplog.text
    assert "fail raised RuntimeError on a callback (flow t-1)" in caplog.text


@pytest.mark.parametrize("receiver", [aiohttp_receiver, AsgiReceiver])
def test_invalid_argument_raises_invalid_config(receiver: type[AsgiReceiver]) -> None:
    """An argument that cannot work is refused at once."""
    inbox, signer = CallbackInbox(), signer_at()
    with pytest.raises(InvalidConfig, match="takes a CallbackInbox first"):
        receiver(signer, inbox)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="takes a CallbackSigner second"):
        receiver(inbox, KEY)  # type: ignore[arg-type]
    for limit in (0, True, 1.5):
        with pytest.raises(InvalidConfig, match="max_body_size must be"):
            receiver(inbox, signer, max_body_size=limit)  # type: ignore[arg-type]
    for timeout in (timedelta(0), 2):
        with pytest.raises(InvalidConfig, match="body_timeout must be"):
            receiver(inbox, signer, body_timeout=timeout)  # type: ignore[arg-type]


async def test_server_shutdown_waits_for_handlers() -> None:
    """An aiohttp server, and an ASGI server that serves only the receiver, let handlers finish before they stop."""
    for name in ("aiohttp", "asgi standalone"):
        inbox, recorder = CallbackInbox(), RecordingHandler()

        @inbox.on_otp
        async def slow(event: CallbackEvent[OtpRecord], recorder: RecordingHandler = recorder) -> None:
            await asyncio.sleep(0.05)
            await recorder(event)

        async with (
            SERVERS[name](inbox, None) as url,
            aiohttp.ClientSession() as session,
            session.post(f"{url}{MOUNT_PATH}", data=body_of(OTP)) as response,
        ):
            assert response.status == 200
        assert len(recorder.events) == 1
        assert inbox.receive(NEW) == "unavailable"
