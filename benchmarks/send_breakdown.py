"""Where the time of one send goes, layer by layer: `python benchmarks/send_breakdown.py`.

Each layer alone, in microseconds, as the least of several rounds, for one OTP flow of two steps. Inside a program that
runs, a layer costs up to twice as much, since caches are colder there: `send.py` measures the whole.
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
from routee_failover._transport.attempt import ApiRequest, Attempt, unread_check_for
from routee_failover._transport.circuit_breaker import CircuitBreaker
from routee_failover._transport.in_flight import InFlight
from routee_failover._transport.limiter import RequestLimiter
from routee_failover._wire import encode_flow
from routee_failover._wire.responses import parse_otp_receipt
from routee_failover.events import ObserverGroup
from routee_failover.outcomes import AttemptResult, Response, StatusTable

ROUNDS, TIMES = 7, 5_000
TO, PIN = "+306912345678", "847291"


def build() -> OtpFlow:
    """A flow as a user makes it, checked."""
    viber = ViberOtpStep(to=TO, ttl=MINUTE, sender_info_tracking_id=SENDER, template_id=TEMPLATE, pin=PIN)
    return OtpFlow(steps=[viber, OtpSmsStep(to=TO, ttl=THREE_MINUTES, message=f"Your code is {PIN}", from_="Demo")])


def microseconds(run: Callable[[], object]) -> float:
    """The least that one call took, over some rounds."""

    def one_round() -> float:
        start = time.perf_counter()
        for _ in range(TIMES):
            run()
        return (time.perf_counter() - start) / TIMES * 1e6

    return min(one_round() for _ in range(ROUNDS))


async def awaited(run: Callable[[], Awaitable[object]]) -> float:
    """The same for what has to be awaited, by 32 at once."""

    async def worker() -> None:
        for _ in range(TIMES // 32):
            await run()

    least = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(32)))
        least = min(least, (time.perf_counter() - start) / TIMES * 1e6)
    return least


async def layers() -> dict[str, float]:
    """Every layer with what it costs."""
    loop = asyncio.get_running_loop()
    config = Config(application_id="bench", application_secret="bench", api_url="http://localhost:1")
    flow, body = build(), orjson.dumps(RESPONSE)
    turns, table = RequestLimiter(config), StatusTable()
    evidence = AttemptResult(True, Response(200, body))

    async def no_probe() -> AttemptResult:
        return evidence

    gate = CircuitBreaker(no_probe, ObserverGroup(()))

    async def make(_exchange: Attempt) -> AttemptResult:
        return evidence

    under_way = InFlight(make, lambda _exchange, _evidence: None)
    call = ApiRequest("POST", "/failover")

    async def task() -> AttemptResult:
        now = loop.time()
        exchange = Attempt(call, None, None, now, now + 30, loop.create_future(), 1, 1)  # type: ignore[arg-type]
        under_way.start(exchange)
        return await exchange.result

    def turn() -> None:
        turns.try_acquire(otp=True)
        turns.release(otp=True)

    def decide() -> None:
        shown = AttemptResult(True, Response(200, body))
        _ = table.rule_for(shown.response).outcome  # type: ignore[arg-type]
        gate.record(shown)

    here, there = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=here)
    ask, _ = unread_check_for(writer.transport)
    found = {
        "build and check the flow": microseconds(build),
        "encode it": microseconds(lambda: encode_flow(flow)),
        "a turn (pool, rate, share)": microseconds(turn),
        "a task of its own, and the clock for all": await awaited(task) - await awaited(lambda: asyncio.sleep(0)),
        "the gate: ask the socket": microseconds(ask) + microseconds(lambda: unread_check_for(writer.transport)),
        "evidence, table, breaker": microseconds(decide),
        "parse the answer": microseconds(lambda: parse_otp_receipt(body)),
    }
    found["(beside it: a dict, json and back by orjson)"] = microseconds(
        lambda: orjson.loads(body) if orjson.dumps(mapping(TO, PIN)) else None
    )
    writer.close()
    there.close()
    turns.close()
    await under_way.drain(timedelta(0).total_seconds())
    return found


def main() -> None:
    """Print the layers."""
    found = asyncio.run(layers())
    for name, cost in found.items():
        print(f"  {name:46} {cost:6.2f} us")
    total = sum(cost for name, cost in found.items() if not name.startswith("("))
    print(f"  {'together':46} {total:6.2f} us")


if __name__ == "__main__":
    main()
