"""Separate programs that use a client: the interpreter itself reports what they leave open."""

import asyncio
import os
import sys
import textwrap

SCRIPT = """
import asyncio, gc, os
from routee_failover import RouteeClient, SmsStep, StandardFlow

client = RouteeClient.from_env()
flow = StandardFlow(steps=[SmsStep(from_="Demo", to="+306900000001", message="Hi")])
{prelude}

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a slow machine is not an error
{main}

for _ in range(3):
    {run}(main())
    gc.collect()
print("sent")
"""


async def run_fresh(
    main: str, url: str, *, prelude: str = "", run: str = "asyncio.run", **environ: str
) -> tuple[str, str]:
    """Run the body of a coroutine three times with a client of the module; return its stdout and stderr."""
    script = SCRIPT.format(main=textwrap.indent(main, "    "), prelude=prelude, run=run)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-X", "dev", "-c", script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ
        | {
            "ROUTEE_APPLICATION_ID": "sandbox",
            "ROUTEE_APPLICATION_SECRET": "sandbox-secret",
            "ROUTEE_API_URL": url,
            "ROUTEE_AUTH_URL": url,
        }
        | environ,
    )
    out, err = await process.communicate()
    return out.decode(), err.decode()
