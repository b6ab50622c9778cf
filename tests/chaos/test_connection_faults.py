"""Faults before there is a connection: whatever they are, nothing was sent, and the error says so."""

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

PATIENCE = timedelta(milliseconds=100)
ROWS = {row.name: row for row in CONNECTION_ROWS}


async def _told_by(server: FaultyServer, **settings: Any) -> tuple[list[SendReport], int]:
    """What becomes of a message to every endpoint, and how many attempts that took."""
    ends = AttemptRecorder()
    async with RouteeClient(server.config(observers=(ends,), **settings)) as client:
        all_told = await asyncio.gather(*(send_and_report(client, new_flow(endpoint)) for endpoint in ENDPOINTS))
    return all_told, len(ends.ended)


def _holds(name: str, server: FaultyServer, all_told: list[SendReport], attempts: int) -> None:
    """What the table says of a fault is what was seen of it."""
    row = ROWS[name]
    assert contradictions(all_told, server.accepted) == []
    assert {each.outcome for each in all_told} <= {*row.outcomes}
    assert server.accepted.total() in row.accepted_counts
    if row.retried is not RetryExpectation.UNSENT:
        assert attempts == len(all_told) * (server.config().max_attempts if row.retried is RetryExpectation.YES else 1)


async def test_nobody_listens(server: FaultyServer) -> None:
    """Where connections are refused nothing is sent, on any endpoint."""
    with closed_port() as port:
        all_told, attempts = await _told_by(server, api_url=f"http://127.0.0.1:{port}")
    _holds("nobody listens", server, all_told, attempts)
    assert all(isinstance(each.error, ConnectFailed) for each in all_told)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue is not silent")
async def test_nobody_answers_the_connection(server: FaultyServer) -> None:
    """Where nobody answers to a connection it is given up after connect_timeout, and nothing is sent."""
    with unresponsive_port() as port:
        all_told, attempts = await _told_by(server, api_url=f"http://127.0.0.1:{port}", connect_timeout=PATIENCE)
    _holds("nobody answers the connection", server, all_told, attempts)


async def test_the_host_name_does_not_exist(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host name is unknown nothing is sent."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", failing_resolver(loop))
    all_told, attempts = await _told_by(server, api_url=f"https://{UNKNOWN_HOST}")
    _holds("the host name does not exist", server, all_told, attempts)


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_handshake_that_breaks(server: FaultyServer, server_loop: ServerLoop, name: str) -> None:
    """Where TLS does not come to be nothing is sent, and it is tried again within the limit of tries."""
    patience = {"connect_timeout": PATIENCE} if "hangs" in name else {}
    async with handshake_listener(server_loop, name) as listener:
        all_told, attempts = await _told_by(server, api_url=f"https://127.0.0.1:{listener.port}", **patience)
    _holds(name, server, all_told, attempts)
    assert listener.accepted == attempts


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_token_service_whose_handshake_breaks(server: FaultyServer, server_loop: ServerLoop, name: str) -> None:
    """The same of the token service: no token, so nothing is sent, and one request for all who wait."""
    patience = {"connect_timeout": PATIENCE} if "hangs" in name else {}
    async with handshake_listener(server_loop, name) as listener:
        all_told, _ = await _told_by(server, auth_url=f"https://127.0.0.1:{listener.port}", **patience)
        assert 2 <= listener.accepted <= 3
    assert all(isinstance(each.error, TokenUnavailable) for each in all_told)
    assert contradictions(all_told, server.accepted) == []
    assert server.api.accepted == 0


async def _told_over(server_loop: ServerLoop, server_tls: ServerTls) -> tuple[FaultyServer, list[SendReport], int]:
    async with FaultyServer(server_loop, server_tls.context) as server:
        all_told, attempts = await _told_by(server)
        await server.drained()
        return server, all_told, attempts


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_that_is_trusted(server_loop: ServerLoop, server_tls: ServerTls) -> None:
    """With a certificate that is right everything is accepted: what fails below fails for the certificate."""
    server, all_told, attempts = await _told_over(server_loop, server_tls)
    assert {each.outcome for each in all_told} == {Outcome.ACCEPTED}
    assert contradictions(all_told, server.accepted) == []
    assert server_tls.handshake_count == attempts == len(all_told)


async def test_an_untrusted_certificate(server_loop: ServerLoop, server_tls: ServerTls) -> None:
    """A certificate of an authority that nobody knows gets nothing, and is not asked again."""
    _holds("an untrusted certificate", *await _told_over(server_loop, server_tls))
    assert server_tls.handshake_count == len(ENDPOINTS)


@pytest.mark.usefixtures("trusted")
async def test_an_expired_certificate(server_loop: ServerLoop, ca: trustme.CA) -> None:
    """A certificate that was good once gets nothing, and is not asked again."""
    _holds("an expired certificate", *await _told_over(server_loop, ServerTls(ca, expired=True)))


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_name(server_loop: ServerLoop, ca: trustme.CA) -> None:
    """A certificate of somebody else gets nothing, and is not asked again."""
    _holds("a certificate for another name", *await _told_over(server_loop, ServerTls(ca, "elsewhere.example")))


@pytest.mark.usefixtures("trusted")
async def test_a_server_that_wants_a_certificate(server_loop: ServerLoop, ca: trustme.CA) -> None:
    """A server that wants to know the client takes nothing; TLS 1.3 tells the client only once it has sent."""
    _holds(
        "a server that wants a certificate of the client",
        *await _told_over(server_loop, ServerTls(ca, requires_client_cert=True)),
    )


SCRIPTS = [
    pytest.param(ProxyScript(**{side: Interruption(after, act)}), id=f"{act.name} after {after} bytes {side}")
    for side in ("of_client", "of_server")
    for act in (ProxyAction.FIN, ProxyAction.RST, ProxyAction.HALF_CLOSE, ProxyAction.GARBAGE)
    for after in (0, 1, 100)
]
"""What ends a handshake: the client's first words have over 200 bytes, and the server's over 600."""


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_handshake_that_breaks_once_costs_no_message(
    server_loop: ServerLoop, server_tls: ServerTls, script: ProxyScript
) -> None:
    """A message whose handshake breaks has not left: it is sent over the next connection, and taken once."""
    async with FaultyServer(server_loop, server_tls.context) as server, Proxy(server_loop, server.api.port) as proxy:
        scripts = [script]
        proxy.plan = lambda: scripts.pop() if scripts else NO_INTERRUPTION
        async with RouteeClient(server.config(api_url=f"https://localhost:{proxy.port}")) as client:
            each = await send_and_report(client, new_flow())
        await proxy.drained()
    assert (each.outcome, server.accepted[each.number], proxy.accepted) == (Outcome.ACCEPTED, 1, 2)


@pytest.mark.usefixtures("trusted")
async def test_the_faults_of_requests_and_answers_over_tls(server_loop: ServerLoop, server_tls: ServerTls) -> None:
    """What holds of faults on a plain connection holds over TLS: the outcomes are those of the table."""
    wrong = []
    async with (
        FaultyServer(server_loop, server_tls.context) as server,
        RouteeClient(server.config(max_attempts=1)) as client,
    ):
        for row in (*REQUEST_ROWS, *RESPONSE_ROWS):
            if row.fault is None or row.fault.hangs or row.fault.half_closed:
                continue
            server.next_fault = always(row.fault)
            await server.drop_connections()
            each = await send_and_report(client, new_flow())
            wrong += contradictions([each], server.accepted)
            if each.outcome not in row.outcomes:
                wrong.append(f"{row.name}: {each.outcome}")
    assert wrong == []
    assert server.accepted_twice == []
