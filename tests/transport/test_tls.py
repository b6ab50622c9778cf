"""TLS as the settings say: a CA of one's own, a client's certificate, a least version; and what refusals prove."""

import asyncio
import functools
import ssl
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from routee_failover import ConnectFailed, Outcome, RouteeClient, TokenUnavailable
from routee_failover._transport.attempt import TrackedRequest
from routee_failover.outcomes import outcome_of
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .proxies import DelayedRelay
from .raw_server import RawServer, Reader, Writer, attempt_runner, http, responding
from .tls_server import TLS_1_2, TLS_1_3, BlockingTlsServer, client_context, server_context

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')
DEMANDS = "the server asks for a client certificate, which belongs in the context of the setting tls"


@on_every_loop
async def test_a_ca_of_ones_own_is_trusted() -> None:
    """A message and its token go to servers whose certificates only the given CA vouches for."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen), server_context()) as server:
        async with RouteeClient(server.config(tls=client_context())) as client:
            assert (await client.send(sms())).tracking_id == "t"
        async with RouteeClient(server.config()) as client:
            with pytest.raises(TokenUnavailable, match="certificate of localhost is not trusted"):
                await client.send(sms())
    assert len(seen) == 1


@on_every_loop
async def test_another_ca_is_not_trusted() -> None:
    """Whom the given CA does not vouch for gets nothing, and is asked once."""
    async with (
        RawServer(responding(http()), server_context(trusted=False)) as server,
        attempt_runner(server.config(tls=client_context())) as runner,
    ):
        result = await runner.run(server.url)
    assert (result.may_have_been_sent, result.permanent) == (False, True)
    assert result.reason == "the certificate of localhost is not trusted"


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@on_every_loop
async def test_a_client_certificate_is_shown(version: ssl.TLSVersion) -> None:
    """A server that demands a certificate takes the message of a client that has one."""
    shown: list[object] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        shown.append(writer.get_extra_info("peercert")["subjectAltName"])
        await responding(ACCEPTED)(reader, writer)

    async with (
        RawServer(handler, server_context(max_version=version, client_certificate=True)) as server,
        RouteeClient(server.config(tls=client_context(certificate=True))) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
    assert shown == [(("email", "client@example.test"),)]


@on_every_loop
async def test_a_missing_certificate_proves_with_tls_1_2_that_nothing_was_sent() -> None:
    """The handshake itself fails: nothing begins."""
    with BlockingTlsServer(server_context(max_version=TLS_1_2, client_certificate=True)) as server:
        async with attempt_runner(server.config(tls=client_context())) as runner:
            result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason == f"no connection to localhost:{server.port} could be made (sslv3 alert handshake failure)"
    assert (server.requests, server.rejected_clients) == ([], 1)


@on_every_loop
async def test_a_missing_certificate_proves_nothing_with_tls_1_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the client the handshake is over when the refusal comes: a message that began to leave is UNKNOWN."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with DelayedRelay(server.port) as wire:
            write = TrackedRequest.write_bytes

            async def write_and_release(request: TrackedRequest, *given: Any) -> None:
                await write(request, *given)
                relay.release.set()

            monkeypatch.setattr(TrackedRequest, "write_bytes", write_and_release)
            async with attempt_runner(wire.config(tls=client_context())) as runner:
                result = await runner.run(wire.url.replace("http:", "https:"))
    assert (outcome_of(result), result.reason) == (Outcome.UNKNOWN, DEMANDS)
    assert (server.requests, server.rejected_clients) == ([], 1)


def _waiting_for(server: BlockingTlsServer, *, busy: bool = False) -> Callable[..., aiohttp.ClientSession]:
    """Sessions that use a connection only once the server's refusal has come; a busy loop has not heard of it yet."""

    async def refused(*_args: object) -> None:
        if busy:
            if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
                await asyncio.sleep(0)  # uvloop writes the end of the handshake a turn later
            ends = time.monotonic() + 2
            while not server.rejected_clients and time.monotonic() < ends:
                time.sleep(0.001)  # noqa: ASYNC251  # a busy loop is what this is about
        elif server.connections:
            await until(lambda: server.rejected_clients)
            await asyncio.sleep(0.02)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(refused)
    return functools.partial(aiohttp.ClientSession, trace_configs=[trace])


@pytest.mark.parametrize("busy", [False, True])
@on_every_loop
async def test_a_refusal_that_has_come_proves_that_nothing_was_sent(busy: bool) -> None:
    """A refusal that is there before the message begins is heard, and the message stays."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with attempt_runner(
            server.config(tls=client_context(), session_factory=_waiting_for(server, busy=busy))
        ) as runner:
            result = await runner.run(server.url)
    assert (outcome_of(result), result.reason) == (Outcome.NOT_SENT, DEMANDS)
    assert server.requests == []


@on_every_loop
async def test_a_missing_certificate_is_never_a_wrong_outcome() -> None:
    """However the refusal races with the message: UNKNOWN if it may have begun, NOT_SENT if not, and never accepted."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with attempt_runner(server.config(tls=client_context())) as runner:
            for _ in range(20):
                result = await runner.run(server.url)
                assert outcome_of(result) is (Outcome.UNKNOWN if result.may_have_been_sent else Outcome.NOT_SENT)
                assert not result.stale_connection  # which would be tried again at once
    assert (server.requests, server.rejected_clients) == ([], 20)


@on_every_loop
async def test_a_token_that_needs_a_certificate_is_unavailable() -> None:
    """The token service refuses first, so that a client without its certificate ends in NotSent."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with RouteeClient(server.config(tls=client_context())) as client:
            with pytest.raises(TokenUnavailable, match="nothing was sent"):
                await client.send(sms())
    assert server.requests == []


@on_every_loop
async def test_a_missing_certificate_is_not_asked_about_again_and_again() -> None:
    """A refusal for want of a certificate is no closed connection of the pool, which would be replaced at once."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with RawServer(responding(http())) as auth:
            config = server.config(tls=client_context(), auth_url=auth.url, session_factory=_waiting_for(server))
            async with RouteeClient(config) as client:
                with pytest.raises(ConnectFailed, match=f"{DEMANDS}; nothing was sent"):
                    await client.send(sms())
    assert (server.requests, server.rejected_clients) == ([], 1)


@on_every_loop
async def test_a_server_below_the_least_version_gets_nothing() -> None:
    """A version that the client's context does not allow ends the handshake, in OpenSSL's words."""
    with BlockingTlsServer(server_context(max_version=TLS_1_2)) as server:
        async with attempt_runner(server.config(tls=client_context(min_version=TLS_1_3))) as runner:
            result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason == f"no connection to localhost:{server.port} could be made (tlsv1 alert protocol version)"


@on_every_loop
async def test_a_server_that_speaks_no_tls_is_named() -> None:
    """An answer that is none of TLS is told as such and quoted nowhere."""

    async def plain(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 400 canary\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    async with RawServer(plain) as server, attempt_runner(server.config()) as runner:
        result = await runner.run(server.url.replace("http:", "https:"))
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason.endswith("could be made (wrong version number)")


@on_every_loop
async def test_a_server_that_closes_in_the_handshake_is_told() -> None:
    """A handshake that is not finished is told as a connection that was closed."""

    async def close(reader: Reader, _writer: Writer) -> None:
        await reader.read(65_536)

    async with RawServer(close) as server, attempt_runner(server.config()) as runner:
        result = await runner.run(server.url.replace("http:", "https:"))
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason.endswith("could be made (it was closed)")
