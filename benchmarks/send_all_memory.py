"""Memory of a long run: `python benchmarks/send_all_memory.py [--flows 100000]`.

`send_all` over a thousand OTP flows, and then over many more, to a server that is not the bottleneck, each in a process
of its own. The figure to read is how much more the long run had at its peak: the goal is at most 20 MiB.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

from stub import run_nginx

from routee_failover import Config, OtpFlow, OtpSmsStep, Outcome, RouteeClient, ViberOtpStep

GOAL = 20


def flows(count: int) -> Iterator[OtpFlow]:
    """Iterate over flows of two steps, each with a recipient and a PIN of its own, built on demand."""
    for index in range(count):
        to, pin = f"+3069{index:08d}", f"{index:06d}"
        viber = ViberOtpStep(
            to=to,
            ttl=timedelta(minutes=1),
            sender_info_tracking_id="aaaaaaaa-0000-4000-8000-000000000001",
            template_id="0aac888f-2ee2-4112-9659-1755a951966a",
            pin=pin,
        )
        yield OtpFlow(steps=[viber, OtpSmsStep(to=to, ttl=timedelta(minutes=3), message=f"Your code is {pin}")])


async def run(url: str, count: int) -> None:
    """Send all flows and print the peak memory of this process in KiB."""
    config = Config(application_id="bench", application_secret="bench", api_url=url, auth_url=url)
    async with RouteeClient(config) as client:
        accepted = 0
        async for sent in client.send_all(flows(count)):
            accepted += sent.outcome is Outcome.ACCEPTED
    assert accepted == count, accepted
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak(url: str, count: int) -> float:
    """Return the peak memory of a run in MiB."""
    command = [sys.executable, __file__, "--run", url, "--flows", str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024


def main() -> None:
    """Compare a short run with a long one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--run", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        asyncio.run(run(options.run, options.flows))
        return
    with run_nginx() as url:
        short, long = peak(url, 1_000), peak(url, options.flows)
    print(f"1,000 flows    {short:7.1f} MiB at the peak")
    print(f"{options.flows:,} flows  {long:7.1f} MiB at the peak, {long - short:+.1f} (goal: at most {GOAL})")


if __name__ == "__main__":
    main()
