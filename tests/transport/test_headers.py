"""The headers of a request, which aiohttp puts together once and which later requests copy."""

from routee_failover._transport import ApiRequest, Transport
from routee_failover.secret import SecretBytes

from .raw_server import BODY, RawServer, Reader, Writer, answering, http, read_request

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')


def _head(request: bytes) -> list[bytes]:
    return sorted(line for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n") if b"Content-Length" not in line)


async def test_every_request_has_the_headers_of_the_first() -> None:
    """Later messages go out with the same headers as the first, those of the settings among them."""
    seen: list[bytes] = []
    async with RawServer(answering(ACCEPTED, seen=seen)) as server:
        transport = Transport(server.config(headers={"User-Agent": "mine", "X-Tenant": "7"}))
        for size in (3, 30, 300):
            await transport.send_request(ApiRequest("POST", "/failover", SecretBytes(b"x" * size)))
        await transport.aclose()
    assert _head(seen[0]) == _head(seen[1]) == _head(seen[2])
    assert {b"User-Agent: mine", b"X-Tenant: 7", b"Content-Type: application/json", b"Accept: */*"} < {*_head(seen[0])}
    assert [len(request.partition(b"\r\n\r\n")[2]) for request in seen] == [3, 30, 300]


async def test_each_kind_of_request_has_headers_of_its_own() -> None:
    """A reading call between messages carries no Content-Type, and a renewed token goes out with the next message."""
    seen: list[bytes] = []
    tokens = iter(range(1, 9))

    async def behave(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if b"/oauth/token" in request.partition(b"\r\n")[0]:
                writer.write(http("200 OK", b'{"access_token":"token-%d","expires_in":3600}' % next(tokens)))
                continue
            seen.append(request)
            refused = b"token-1" in request and len(seen) > 3
            writer.write(http("401 Unauthorized", b"{}") if refused else ACCEPTED)

    async with RawServer(behave) as server:
        transport = Transport(server.config())
        for call in [
            ApiRequest("POST", "/failover", SecretBytes(BODY)),
            ApiRequest("GET", "/failover/tracking/x", safe=True),
        ] * 2:
            await transport.send_request(call)
        await transport.send_request(ApiRequest("POST", "/failover", SecretBytes(BODY)))
        await transport.aclose()
    kinds = [(request[:4], b"Content-Type" in request, b"token-2" in request) for request in seen]
    post, get = (b"POST", True), (b"GET ", False)
    assert kinds == [(*post, False), (*get, False), (*post, False), (*get, False), (*get, True), (*post, True)]
