"""One Chromium for all tests of the page.

It is the system's where there is one; elsewhere the one that `playwright install chromium` fetches. Where there is
neither these tests fail: what is not tested is not said to work.
"""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

SYSTEMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure(config: pytest.Config) -> None:
    """Without pytest-xdist its mark means nothing, and is no mistake."""
    config.addinivalue_line("markers", "xdist_group: on one worker, where there are several")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser without a window; each test opens its own profile in it."""
    executable = next(filter(None, map(shutil.which, SYSTEMS)), None)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable,
            args=[*FLAGS, "--no-sandbox"] if as_root else FLAGS,  # Chromium refuses to run as root otherwise
        )
        yield browser
        await browser.close()
