"""Request headers: built and encoded once for each token."""

from routee_failover._transport import ApiRequest, Transport
from routee_failover.secret import SecretBytes

from .raw_server import BODY, RawServer, Reader, Writer, http, read_request, responding

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')


def _head(request: bytes) -> list[bytes]:
    return sorted(line for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n") if b"Content-Length" not in line)


async def test_later_requests_have_the_headers_of_the_first() -> None:
    """Later messages are sent with the same headers as the first, including those of the configuration."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen)) as server:
        transport = Transport(server.config(headers={"User-Agent": "mine", "X-Tenant": "7"}))
        for size in (3, 30, 300):
            await transport.send_request(ApiRequest("POST", "/failover", SecretBytes(b"x" * size)))
        await transport.aclose()
    assert _head(seen[0]) == _head(seen[1]) == _head(seen[2])
    assert {b"User-Agent: mine", b"X-Tenant: 7", b"Content-Type: application/json", b"Accept: */*"} < {*_head(seen[0])}
    assert [len(request.partition(b"\r\n\r\n")[2]) for request in seen] == [3, 30, 300]


async def test_reading_call_has_no_content_type_and_renewed_token_is_used_next() -> None:
    """A reading call between messages has no Content-Type, and a renewed token is sent with the next message."""
    seen: list[bytes] = []
    tokens = iter(range(1, 9))

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if b"/oauth/token" in request.partition(b"\r\n")[0]:
                writer.write(http("200 OK", b'{"access_token":"token-%d","expires_in":3600}' % next(tokens)))
                continue
            seen.append(request)
            rejected = b"token-1" in request and len(seen) > 3
            writer.write(http("401 Unauthorized", b"{}") if rejected else ACCEPTED)

    async with RawServer(handler) as server:
        transport = Transport(server.config())
        for api_request in [
            ApiRequest("POST", "/failover", SecretBytes(BODY)),
            ApiRequest("GET", "/failover/tracking/x", safe=True),
        ] * 2:
            await transport.send_request(api_request)
        await transport.send_request(ApiRequest("POST", "/failover", SecretBytes(BODY)))
        await transport.aclose()
    kinds = [(request[:4], b"Content-Type" in request, b"token-2" in request) for request in seen]
    post, get = (b"POST", True), (b"GET ", False)
    assert kinds == [(*post, False), (*get, False), (*post, False), (*get, False), (*get, True), (*post, True)]
