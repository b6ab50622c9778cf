"""Faults before there is a connection: with any of them nothing was sent, and the error says so."""

import asyncio
import sys
from datetime import timedelta
from typing import Any

import pytest
import trustme

from routee_failover import ConnectFailed, Outcome, RouteeClient, TokenUnavailable

from .connection_faults import (
    HANDSHAKES,
    UNKNOWN_HOST,
    ServerTls,
    closed_port,
    failing_resolver,
    handshake_listener,
    unresponsive_port,
)
from .consistency import AttemptRecorder, SendReport, contradictions, send_and_report
from .expected_outcomes import CONNECTION_ROWS, REQUEST_ROWS, RESPONSE_ROWS, RetryExpectation
from .faulty_proxy import NO_INTERRUPTION, Interruption, Proxy, ProxyAction, ProxyScript
from .faulty_server import FaultyServer, always
from .sample_flows import ENDPOINTS, new_flow
from .server_loop import ServerLoop

CONNECT_TIMEOUT = timedelta(milliseconds=100)
ROWS = {row.name: row for row in CONNECTION_ROWS}


async def _send_to_every_endpoint(server: FaultyServer, **settings: Any) -> tuple[list[SendReport], int]:
    """Send a message to every endpoint; return the reports and the number of attempts."""
    recorder = AttemptRecorder()
    async with RouteeClient(server.config(observers=(recorder,), **settings)) as client:
        reports = await asyncio.gather(*(send_and_report(client, new_flow(endpoint)) for endpoint in ENDPOINTS))
    return reports, len(recorder.ended)


def _assert_row_holds(name: str, server: FaultyServer, reports: list[SendReport], attempts: int) -> None:
    """Assert that reports and attempts agree with the table's row of a fault."""
    row = ROWS[name]
    assert contradictions(reports, server.accepted) == []
    assert {report.outcome for report in reports} <= {*row.outcomes}
    assert server.accepted.total() in row.accepted_counts
    if row.retried is not RetryExpectation.UNSENT:
        assert attempts == len(reports) * (server.config().max_attempts if row.retried is RetryExpectation.YES else 1)


async def test_refused_connection_sends_nothing(server: FaultyServer) -> None:
    """Where connections are refused nothing is sent, on any endpoint."""
    with closed_port() as port:
        reports, attempts = await _send_to_every_endpoint(server, api_url=f"http://127.0.0.1:{port}")
    _assert_row_holds("a refused connection", server, reports, attempts)
    assert all(isinstance(report.error, ConnectFailed) for report in reports)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue is not silent")
async def test_unanswered_connection_ends_after_connect_timeout(server: FaultyServer) -> None:
    """Where a connection is not answered it is given up after connect_timeout, and nothing is sent."""
    with unresponsive_port() as port:
        reports, attempts = await _send_to_every_endpoint(
            server, api_url=f"http://127.0.0.1:{port}", connect_timeout=CONNECT_TIMEOUT
        )
    _assert_row_holds("an unanswered connection", server, reports, attempts)


async def test_unknown_host_name_sends_nothing(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host name is unknown nothing is sent."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", failing_resolver(loop))
    reports, attempts = await _send_to_every_endpoint(server, api_url=f"https://{UNKNOWN_HOST}")
    _assert_row_holds("the host name does not exist", server, reports, attempts)


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_broken_tls_handshake_is_retried_and_sends_nothing(
    server: FaultyServer, server_loop: ServerLoop, name: str
) -> None:
    """Where the TLS handshake fails nothing is sent, and it is retried within `max_attempts`."""
    timeout = {"connect_timeout": CONNECT_TIMEOUT} if "hangs" in name else {}
    async with handshake_listener(server_loop, name) as listener:
        reports, attempts = await _send_to_every_endpoint(
            server, api_url=f"https://127.0.0.1:{listener.port}", **timeout
        )
    _assert_row_holds(name, server, reports, attempts)
    assert listener.accepted == attempts


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_broken_handshake_of_the_token_service_sends_nothing(
    server: FaultyServer, server_loop: ServerLoop, name: str
) -> None:
    """The same for the token service: no token, so nothing is sent, and one request for all waiting sends."""
    timeout = {"connect_timeout": CONNECT_TIMEOUT} if "hangs" in name else {}
    async with handshake_listener(server_loop, name) as listener:
        reports, _ = await _send_to_every_endpoint(server, auth_url=f"https://127.0.0.1:{listener.port}", **timeout)
        assert 2 <= listener.accepted <= 3
    assert all(isinstance(report.error, TokenUnavailable) for report in reports)
    assert contradictions(reports, server.accepted) == []
    assert server.api.accepted == 0


async def _send_over_tls(server_loop: ServerLoop, server_tls: ServerTls) -> tuple[FaultyServer, list[SendReport], int]:
    async with FaultyServer(server_loop, server_tls.context) as server:
        reports, attempts = await _send_to_every_endpoint(server)
        await server.drained()
        return server, reports, attempts


@pytest.mark.usefixtures("trusted")
async def test_trusted_certificate_accepts_every_message(server_loop: ServerLoop, server_tls: ServerTls) -> None:
    """With a valid certificate everything is accepted: the failures below are due to their certificates."""
    server, reports, attempts = await _send_over_tls(server_loop, server_tls)
    assert {report.outcome for report in reports} == {Outcome.ACCEPTED}
    assert contradictions(reports, server.accepted) == []
    assert server_tls.handshake_count == attempts == len(reports)


async def test_untrusted_certificate_sends_nothing_and_is_not_retried(
    server_loop: ServerLoop, server_tls: ServerTls
) -> None:
    """A server with a certificate of an unknown authority gets nothing, and the handshake is not retried."""
    _assert_row_holds("an untrusted certificate", *await _send_over_tls(server_loop, server_tls))
    assert server_tls.handshake_count == len(ENDPOINTS)


@pytest.mark.usefixtures("trusted")
async def test_expired_certificate_sends_nothing_and_is_not_retried(server_loop: ServerLoop, ca: trustme.CA) -> None:
    """A server with an expired certificate gets nothing, and the handshake is not retried."""
    _assert_row_holds("an expired certificate", *await _send_over_tls(server_loop, ServerTls(ca, expired=True)))


@pytest.mark.usefixtures("trusted")
async def test_certificate_for_another_name_sends_nothing_and_is_not_retried(
    server_loop: ServerLoop, ca: trustme.CA
) -> None:
    """A server with a certificate for another name gets nothing, and the handshake is not retried."""
    _assert_row_holds(
        "a certificate for another name", *await _send_over_tls(server_loop, ServerTls(ca, "elsewhere.example"))
    )


@pytest.mark.usefixtures("trusted")
async def test_server_that_requires_a_client_certificate_accepts_nothing(
    server_loop: ServerLoop, ca: trustme.CA
) -> None:
    """Without a client certificate nothing is accepted; with TLS 1.3 the client learns that only after it has sent."""
    _assert_row_holds(
        "a server that requires a client certificate",
        *await _send_over_tls(server_loop, ServerTls(ca, requires_client_cert=True)),
    )


SCRIPTS = [
    pytest.param(
        ProxyScript(**{direction: Interruption(after, action)}), id=f"{action.name} after {after} bytes {direction}"
    )
    for direction in ("from_client", "from_server")
    for action in (ProxyAction.FIN, ProxyAction.RST, ProxyAction.HALF_CLOSE, ProxyAction.GARBAGE)
    for after in (0, 1, 100)
]
"""Interruptions that end a handshake: the client's first flight has over 200 bytes, and the server's over 600."""


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("script", SCRIPTS)
async def test_handshake_that_breaks_once_loses_no_message(
    server_loop: ServerLoop, server_tls: ServerTls, script: ProxyScript
) -> None:
    """A message whose handshake breaks was not sent: it is sent over the next connection, and accepted once."""
    async with FaultyServer(server_loop, server_tls.context) as server, Proxy(server_loop, server.api.port) as proxy:
        scripts = [script]
        proxy.plan = lambda: scripts.pop() if scripts else NO_INTERRUPTION
        async with RouteeClient(server.config(api_url=f"https://localhost:{proxy.port}")) as client:
            report = await send_and_report(client, new_flow())
        await proxy.drained()
    assert (report.outcome, server.accepted[report.number], proxy.accepted) == (Outcome.ACCEPTED, 1, 2)


@pytest.mark.usefixtures("trusted")
async def test_request_and_response_faults_over_tls_have_the_same_outcomes(
    server_loop: ServerLoop, server_tls: ServerTls
) -> None:
    """Faults over TLS have the same outcomes as on a plain connection: those of the table."""
    problems = []
    async with (
        FaultyServer(server_loop, server_tls.context) as server,
        RouteeClient(server.config(max_attempts=1)) as client,
    ):
        for row in (*REQUEST_ROWS, *RESPONSE_ROWS):
            if row.fault is None or row.fault.hangs or row.fault.half_closed:
                continue
            server.next_fault = always(row.fault)
            await server.drop_connections()
            report = await send_and_report(client, new_flow())
            problems += contradictions([report], server.accepted)
            if report.outcome not in row.outcomes:
                problems.append(f"{row.name}: {report.outcome}")
    assert problems == []
    assert server.accepted_twice == []
