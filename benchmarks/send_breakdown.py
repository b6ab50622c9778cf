"""Breakdown of the time of one send, layer by layer: `python benchmarks/send_breakdown.py`.

Each layer alone, in microseconds, as the minimum of several rounds, for one OTP flow of two steps. Within a running
program a layer costs up to twice as much, because caches are colder there: `send.py` measures the whole.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import orjson
from send import MINUTE, SENDER, TEMPLATE, THREE_MINUTES, mapping
from stub import RESPONSE

from routee_failover import Config, OtpFlow, OtpSmsStep, ViberOtpStep
from routee_failover._transport.attempt import ApiRequest, Attempt
from routee_failover._transport.circuit_breaker import CircuitBreaker
from routee_failover._transport.connection_check import unread_check_for
from routee_failover._transport.in_flight import InFlight
from routee_failover._transport.limiter import RequestLimiter
from routee_failover._wire import encode_flow
from routee_failover._wire.responses import parse_otp_receipt
from routee_failover.events import ObserverGroup
from routee_failover.outcomes import AttemptResult, Response, StatusTable

ROUNDS, CALLS = 7, 5_000
TO, PIN = "+306912345678", "847291"


def build() -> OtpFlow:
    """Build a flow as a user does, with validation."""
    viber = ViberOtpStep(to=TO, ttl=MINUTE, sender_info_tracking_id=SENDER, template_id=TEMPLATE, pin=PIN)
    return OtpFlow(steps=[viber, OtpSmsStep(to=TO, ttl=THREE_MINUTES, message=f"Your code is {PIN}", from_="Demo")])


def microseconds(run: Callable[[], object]) -> float:
    """Return the minimum time of one call in microseconds, over some rounds."""

    def one_round() -> float:
        start = time.perf_counter()
        for _ in range(CALLS):
            run()
        return (time.perf_counter() - start) / CALLS * 1e6

    return min(one_round() for _ in range(ROUNDS))


async def awaited_microseconds(run: Callable[[], Awaitable[object]]) -> float:
    """Return the same for a coroutine function, with 32 concurrent calls."""

    async def worker() -> None:
        for _ in range(CALLS // 32):
            await run()

    minimum = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(32)))
        minimum = min(minimum, (time.perf_counter() - start) / CALLS * 1e6)
    return minimum


async def layers() -> dict[str, float]:
    """Return the cost of every layer in microseconds."""
    loop = asyncio.get_running_loop()
    config = Config(application_id="bench", application_secret="bench", api_url="http://localhost:1")
    flow, body = build(), orjson.dumps(RESPONSE)
    limiter, table = RequestLimiter(config), StatusTable()
    attempt_result = AttemptResult(True, Response(200, body))

    async def no_probe() -> AttemptResult:
        return attempt_result

    circuit_breaker = CircuitBreaker(no_probe, ObserverGroup(()))

    async def execute(_attempt: Attempt) -> AttemptResult:
        return attempt_result

    in_flight = InFlight(execute, lambda _attempt, _result: None)
    request = ApiRequest("POST", "/failover")

    async def task() -> AttemptResult:
        now = loop.time()
        attempt = Attempt(request, None, None, now, now + 30, loop.create_future(), 1, 1)  # type: ignore[arg-type]
        in_flight.start(attempt)
        return await attempt.result

    def use_limiter() -> None:
        limiter.try_acquire(otp=True)
        limiter.release(otp=True)

    def resolve_outcome() -> None:
        result = AttemptResult(True, Response(200, body))
        _ = table.rule_for(result.response).outcome  # type: ignore[arg-type]
        circuit_breaker.record(result)

    client_socket, server_socket = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=client_socket)
    check_unread, _ = unread_check_for(writer.transport)
    costs = {
        "build and check the flow": microseconds(build),
        "encode it": microseconds(lambda: encode_flow(flow)),
        "the limiter (pool, rate, OTP reserve)": microseconds(use_limiter),
        "the task of the attempt, and its timeout": await awaited_microseconds(task)
        - await awaited_microseconds(lambda: asyncio.sleep(0)),
        "the last check of the connection": microseconds(check_unread)
        + microseconds(lambda: unread_check_for(writer.transport)),
        "result, status table, circuit breaker": microseconds(resolve_outcome),
        "parse the response": microseconds(lambda: parse_otp_receipt(body)),
    }
    costs["(for comparison: a dict with orjson)"] = microseconds(
        lambda: orjson.loads(body) if orjson.dumps(mapping(TO, PIN)) else None
    )
    writer.close()
    server_socket.close()
    limiter.close()
    await in_flight.drain(timedelta(0).total_seconds())
    return costs


def main() -> None:
    """Print the layers."""
    costs = asyncio.run(layers())
    for name, cost in costs.items():
        print(f"  {name:46} {cost:6.2f} us")
    total = sum(cost for name, cost in costs.items() if not name.startswith("("))
    print(f"  {'together':46} {total:6.2f} us")


if __name__ == "__main__":
    main()
