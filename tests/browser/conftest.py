"""One Chromium for all tests of the inbox page.

It is the system's if there is one, else the one that `playwright install chromium` downloads. Without either, these
tests fail rather than being skipped.
"""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of pytest-xdist, for runs without it."""
    config.addinivalue_line("markers", "xdist_group: on one worker, where there are several")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Launch a headless browser; each test opens its own profile in it."""
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable,
            args=[*FLAGS, "--no-sandbox"] if as_root else FLAGS,  # Chromium refuses to run as root otherwise
        )
        yield browser
        await browser.close()
