"""docs/testing.md: its services, their tests and its curl commands run as printed."""

import argparse
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.sandbox.raw_http import OTP_SMS_STEP, open_caller

PAGE = (Path(__file__).parents[2] / "docs/testing.md").read_text(encoding="utf-8")
# In a checkout that was installed before the plugin was declared, pytest has to load it by name.
INSTALLED = any(entry.value == "routee_failover.pytest_plugin" for entry in entry_points(group="pytest11"))
PLUGIN_ARGS = [] if INSTALLED else ["-p", "routee_failover.pytest_plugin"]


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "passed"), [("A FastAPI service", 5), ("An aiohttp.web service", 2), ("Without a sandbox", 4)]
)
def test_tests_of_the_page_pass_as_printed(title: str, passed: int, tmp_path: Path) -> None:
    """Saved under the names on the page, the files pass the printed command without a warning."""
    text = section(title)
    files = re.findall(r"^`(\w+\.py)`.*?```python\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert len(files) == text.count("```python")
    for name, program in files:
        (tmp_path / name).write_text(program, encoding="utf-8")
    # Or it would go by the settings of whatever project the folder lies in.
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (command,) = re.findall(r"pytest (\w+\.py)\n", text)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN_ARGS, "-p", "no:cacheprovider", "--rootdir", str(tmp_path), command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(rf"={{3,}} {passed} passed in ", ran.stdout), ran.stdout + ran.stderr


def commands() -> list[list[str]]:
    """Return the arguments of the curl commands on the page."""
    (block,) = re.findall(r"```console\n(curl.*?)```", section("In another language"), re.DOTALL)
    return [shlex.split(line, comments=True) for line in block.splitlines()]


async def test_curl_commands_of_the_page_get_200() -> None:
    """Every curl command on the page gets a 200 once a code was sent."""
    async with open_caller(speed=0) as caller:
        step = OTP_SMS_STEP | {"to": "+306912345678", "order": 1}
        await caller.send("sendFailoverOtp", {"flow": [step]})
        documents = [await _json_response(caller.session, command) for command in commands()]
    pin, flow, flows, clock, reset, export = documents
    assert (pin["pin"], flow["to"], flows["total"]) == ("123456", ["+306912345678"], 0)
    assert (clock["now"], reset["cleared"], export["flows"]) == (3600.0, 1, [])


async def _json_response(session: aiohttp.ClientSession, command: list[str]) -> Any:
    """Send the request of a curl command without curl, assert that it gets 200, and return the JSON of the response."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", dest="method", default="GET")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    arguments = parser.parse_args(command[1 : command.index(">") if ">" in command else None])
    path = arguments.url.removeprefix("http://localhost:8089")
    headers = dict(line.split(": ") for line in arguments.headers)
    async with session.request(arguments.method, path, headers=headers, data=arguments.data) as response:
        assert response.status == 200, command
        return await response.json()
