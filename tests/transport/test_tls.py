"""TLS configuration: private CA, client certificate, minimum version; and what TLS failures prove."""

import asyncio
import ssl
import time
from typing import Any, cast

import pytest

from routee_failover import ConnectFailed, Outcome, RouteeClient, TokenUnavailable
from routee_failover._transport import aiohttp_api
from routee_failover.outcomes import outcome_of
from routee_failover.secret import SecretBytes
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .proxies import DelayedRelay
from .raw_server import RawServer, Reader, Writer, attempt_runner, http, responding
from .tls_server import TLS_1_2, TLS_1_3, BlockingTlsServer, client_context, server_context

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')
CERTIFICATE_REQUIRED = "the server asks for a client certificate, which belongs in the context of the setting tls"


@on_every_loop
async def test_configured_ca_is_trusted() -> None:
    """Token and message are sent to servers whose certificates are issued by the configured CA only."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen), server_context()) as server:
        async with RouteeClient(server.config(tls=client_context())) as client:
            assert (await client.send(sms())).tracking_id == "t"
        async with RouteeClient(server.config()) as client:
            with pytest.raises(TokenUnavailable, match="certificate of localhost is not trusted"):
                await client.send(sms())
    assert len(seen) == 1


@on_every_loop
async def test_other_ca_is_not_trusted() -> None:
    """A server with a certificate of another CA gets nothing, and there is no retry."""
    async with (
        RawServer(responding(http()), server_context(trusted=False)) as server,
        attempt_runner(server.config(tls=client_context())) as runner,
    ):
        result = await runner.run(server.url)
    assert (result.may_have_been_sent, result.permanent) == (False, True)
    assert result.reason == "the certificate of localhost is not trusted"


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@on_every_loop
async def test_client_certificate_is_presented(version: ssl.TLSVersion) -> None:
    """A server that requires a client certificate accepts the message of a client that has one."""
    certificates: list[object] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        certificates.append(writer.get_extra_info("peercert")["subjectAltName"])
        await responding(ACCEPTED)(reader, writer)

    async with (
        RawServer(handler, server_context(max_version=version, client_certificate=True)) as server,
        RouteeClient(server.config(tls=client_context(certificate=True))) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
    assert certificates == [(("email", "client@example.test"),)]


@on_every_loop
async def test_missing_client_certificate_with_tls_1_2_is_not_sent() -> None:
    """The handshake itself fails: nothing is sent."""
    with BlockingTlsServer(server_context(max_version=TLS_1_2, client_certificate=True)) as server:
        async with attempt_runner(server.config(tls=client_context())) as runner:
            result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason == f"no connection to localhost:{server.port} could be made (sslv3 alert handshake failure)"
    assert (server.requests, server.rejected_clients) == ([], 1)


@on_every_loop
async def test_missing_client_certificate_with_tls_1_3_after_the_first_byte_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The handshake is complete for the client before the alert arrives: what may have been sent is UNKNOWN."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with DelayedRelay(server.port) as relay:
            read_head = aiohttp_api.read_head

            async def release_and_read(connection: aiohttp_api.Connection) -> Any:
                relay.release.set()
                return await read_head(connection)

            monkeypatch.setattr(aiohttp_api, "read_head", release_and_read)
            async with attempt_runner(relay.config(tls=client_context())) as runner:
                result = await runner.run(relay.url.replace("http:", "https:"))
    assert (outcome_of(result), result.reason) == (Outcome.UNKNOWN, CERTIFICATE_REQUIRED)
    assert (server.requests, server.rejected_clients) == ([], 1)


def _wait_for_rejection(monkeypatch: pytest.MonkeyPatch, server: BlockingTlsServer, *, busy: bool = False) -> None:
    """Have a connection used only after the server's alert; a busy loop has not read it."""
    connect = aiohttp_api.connect

    async def connect_and_wait(*args: Any) -> aiohttp_api.Connection:
        connection = await connect(*args)
        if busy:
            if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
                await asyncio.sleep(0)  # uvloop writes the end of the handshake one iteration later
            deadline = time.monotonic() + 2
            while not server.rejected_clients and time.monotonic() < deadline:
                time.sleep(0.001)  # noqa: ASYNC251  # blocks the loop on purpose
        elif server.connections:
            await until(lambda: server.rejected_clients)
            await asyncio.sleep(0.02)
        return connection

    monkeypatch.setattr(aiohttp_api, "connect", connect_and_wait)


@pytest.mark.parametrize("busy", [False, True])
@on_every_loop
async def test_alert_before_the_first_byte_is_not_sent(busy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert that has arrived before the first byte is noticed, and the message is not sent."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        _wait_for_rejection(monkeypatch, server, busy=busy)
        async with attempt_runner(server.config(tls=client_context())) as runner:
            result = await runner.run(server.url)
    assert (outcome_of(result), result.reason) == (Outcome.NOT_SENT, CERTIFICATE_REQUIRED)
    assert server.requests == []


@on_every_loop
async def test_missing_client_certificate_never_causes_a_wrong_outcome() -> None:
    """However the alert races with the message: UNKNOWN if it may have been sent, else NOT_SENT; never ACCEPTED."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with attempt_runner(server.config(tls=client_context())) as runner:
            for _ in range(20):
                result = await runner.run(server.url)
                assert outcome_of(result) is (Outcome.UNKNOWN if result.may_have_been_sent else Outcome.NOT_SENT)
                assert not result.stale_connection  # which would be retried at once
    assert (server.requests, server.rejected_clients) == ([], 20)


@on_every_loop
async def test_token_service_that_requires_a_certificate_raises_token_unavailable() -> None:
    """The token service rejects the client first, so a client without its certificate gets a NotSent."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with RouteeClient(server.config(tls=client_context())) as client:
            with pytest.raises(TokenUnavailable, match="nothing was sent"):
                await client.send(sms())
    assert server.requests == []


@on_every_loop
async def test_missing_client_certificate_is_not_retried_as_a_stale_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection rejected for a missing certificate is not a stale one, which would be replaced at once."""
    with BlockingTlsServer(server_context(client_certificate=True)) as server:
        async with RawServer(responding(http())) as auth:
            config = server.config(tls=client_context(), auth_url=auth.url)
            _wait_for_rejection(monkeypatch, server)
            async with RouteeClient(config) as client:
                with pytest.raises(ConnectFailed, match=f"{CERTIFICATE_REQUIRED}; nothing was sent"):
                    await client.send(sms())
    assert (server.requests, server.rejected_clients) == ([], 1)


@on_every_loop
async def test_server_below_the_minimum_tls_version_gets_nothing() -> None:
    """A version that the client's context does not allow fails the handshake, with OpenSSL's reason."""
    with BlockingTlsServer(server_context(max_version=TLS_1_2)) as server:
        async with attempt_runner(server.config(tls=client_context(min_version=TLS_1_3))) as runner:
            result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason == f"no connection to localhost:{server.port} could be made (tlsv1 alert protocol version)"


@on_every_loop
async def test_server_without_tls_is_reported_as_such() -> None:
    """A response that is not TLS is reported as such, and quoted nowhere."""

    async def respond_in_plain_text(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 400 canary\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    async with RawServer(respond_in_plain_text) as server, attempt_runner(server.config()) as runner:
        result = await runner.run(server.url.replace("http:", "https:"))
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason.endswith("could be made (wrong version number)")


@on_every_loop
async def test_connection_closed_during_the_handshake_is_reported() -> None:
    """An incomplete handshake is reported as a closed connection."""

    async def close(reader: Reader, _writer: Writer) -> None:
        await reader.read(65_536)

    async with RawServer(close) as server, attempt_runner(server.config()) as runner:
        result = await runner.run(server.url.replace("http:", "https:"))
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason.endswith("could be made (it was closed)")


@on_every_loop
async def test_connection_with_an_unsent_rest_of_a_rejected_message_is_not_used_again() -> None:
    """If a server rejects a large message before it has read it, nothing follows the unsent rest on its connection."""

    async def reject_early(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        cast("asyncio.ReadTransport", writer.transport).pause_reading()
        writer.write(http("413 Too Large"))
        await asyncio.sleep(3600)

    async with (
        RawServer(reject_early, server_context()) as server,
        attempt_runner(server.config(tls=client_context())) as runner,
    ):
        for _ in range(2):
            attempt = runner.new_attempt(server.url)
            attempt.expires_at = asyncio.get_running_loop().time() + 5
            attempt.body = SecretBytes(bytes(8 * 1024 * 1024))  # more than the buffers of the sockets hold
            response = (await runner.run_attempt(attempt)).response
            assert response is not None
            assert response.status == 413
        assert server.connections == 2
