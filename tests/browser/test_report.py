"""The report of a bulk run in a real browser: readable in both colour schemes, at every width, self-contained."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from routee_failover.bulk.report import write_report
from routee_failover.ledger import DeliveryReport

from ..bulk.report.sample_runs import SampleLedger, all_accepted, sample_run
from ..bulk.report.test_page import hostile_run
from .inbox_page import IN_BROWSER, TIMEOUT_MS, WIDE

pytestmark = IN_BROWSER

CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
SCREENS = {
    "wide": WIDE,
    "tablet": ViewportSize(width=700, height=1000),
    "phone": ViewportSize(width=320, height=640),
}
RUNS: dict[str, Callable[[], SampleLedger]] = {
    "usual": lambda: sample_run(3_000),
    "paused": lambda: sample_run(3_000, pause=30_000, reported_share=0.4, unsent=200),
    "unsent": lambda: sample_run(40, reported_share=-1, unsent=30),
    "night": lambda: sample_run(20_000, rate=70),
    "empty": lambda: sample_run(0),
    "hostile": hostile_run,
    "clean": lambda: all_accepted(
        2_000, delivery_report=DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR", None, 2.0)
    ),
    "alike": lambda: all_accepted(500, seconds=4),
    "resumed": lambda: sample_run(2_000, rate=290, pause=16),
}
# Elements that overflow the page, except for tables that scroll by themselves.
OVERFLOWING = """() => [...document.querySelectorAll("body *")]
  .filter((it) => it.checkVisibility() && !it.closest(".scrollable, thead") &&
                  (it.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5 ||
                   it.getBoundingClientRect().left < -0.5))
  .map((it) => it.outerHTML.slice(0, 120))"""
# Texts of one chart that overlap.
OVERLAPPING = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const texts = [...chart.querySelectorAll("text")].filter((it) => it.checkVisibility())
    .map((it) => [it.textContent, it.getBoundingClientRect()]);
  return texts.flatMap(([one, a], at) => texts.slice(at + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
    .map(([other]) => `${one} / ${other}`));
})"""

# Texts of one chart that are crossed by a line of it.
CROSSED = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const lines = [...chart.querySelectorAll("line.quantile-line, line.idle")].map((it) => it.getBoundingClientRect());
  return [...chart.querySelectorAll("text")].filter((it) => it.checkVisibility())
    .filter((it) => { const a = it.getBoundingClientRect(); return lines.some((b) =>
      a.left + 1 < b.left && b.left < a.right - 1 && a.top + 3 < b.bottom && b.top < a.bottom - 3); })
    .map((it) => it.textContent);
})"""


@asynccontextmanager
async def open_report(browser: Browser, folder: Path, kind: str, **context: Any) -> AsyncIterator[Page]:
    """Open the report of a run from its file; there must be no console message and no other request."""
    path = folder / f"{kind}.html"
    await write_report(RUNS[kind](), path, name="overnight.sqlite")
    profile = await browser.new_context(**{"viewport": WIDE, **context})
    console_messages: list[str] = []
    requests: list[str] = []
    try:
        page = await profile.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda message: console_messages.append(message.text))
        page.on("pageerror", lambda error: console_messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        await page.goto(path.as_uri())
        yield page
        assert console_messages == []
        assert requests == [path.as_uri()]
    finally:
        await profile.close()


VIEWS = [
    *((kind, screen, scheme) for kind in ("usual", "hostile") for screen in SCREENS for scheme in ("light", "dark")),
    *(
        ("paused", "phone", "light"),
        ("paused", "wide", "dark"),
        ("unsent", "phone", "dark"),
        ("empty", "phone", "light"),
        ("clean", "phone", "dark"),
        ("clean", "wide", "light"),
        *(("alike", screen, "light") for screen in SCREENS),
        *(("resumed", screen, "dark") for screen in SCREENS),
    ),
]


@pytest.mark.parametrize(("kind", "screen", "scheme"), VIEWS)
async def test_texts_have_contrast_and_do_not_overflow_or_overlap(
    browser: Browser, tmp_path: Path, kind: str, screen: str, scheme: str
) -> None:
    """In both schemes, at every width, with every table open: WCAG AA contrast, and nothing is cut off."""
    async with open_report(browser, tmp_path, kind, viewport=SCREENS[screen], color_scheme=scheme) as page:
        for details in await page.locator("details > summary").all():
            await details.click()
        assert await page.evaluate(CONTRAST) == []
        assert await page.evaluate(OVERFLOWING) == []
        assert await page.evaluate(OVERLAPPING) == []
        assert await page.evaluate(CROSSED) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_every_chart_has_a_name_and_a_data_table(browser: Browser, tmp_path: Path) -> None:
    """Each chart is one image with an accessible name, and its data are in a table below."""
    async with open_report(browser, tmp_path, "usual") as page:
        sections = page.locator("section:has(figure)")
        assert await sections.count() == 5
        for section in await sections.all():
            await expect(section.get_by_role("img")).to_have_accessible_name(re.compile(r"\w{4}"))
            table = section.get_by_role("table")
            await expect(table).to_be_hidden()
            await section.locator("summary").press("Enter")
            await expect(table).to_be_visible()
            assert await table.locator("tbody tr").count() >= 2


async def test_markup_in_texts_is_escaped(browser: Browser, tmp_path: Path) -> None:
    """Markup in reasons is shown as text; none of it runs, loads anything or reverses a line."""
    async with open_report(browser, tmp_path, "hostile") as page:
        assert "hacked" not in (await page.title()).split(":")[-1]
        await expect(page.locator("h1")).to_have_count(1)
        await expect(page.locator("bdi", has_text="<script>document.title='hacked'</script>").first).to_be_visible()
        assert await page.locator("main img, main script, body style").count() == 0


async def test_content_security_policy_blocks_injected_markup(browser: Browser, tmp_path: Path) -> None:
    """Even if markup were injected, the policy allows no script, no image and no style."""
    path = tmp_path / "usual.html"
    await write_report(sample_run(50), path, name="RUN.sqlite")
    injected = (
        "<script>document.title='hacked'</script><img src='https://example.test/x.png'><style>h1{color:red}</style>"
    )
    path.write_text(path.read_text("utf-8").replace("</main>", f"{injected}</main>"), "utf-8")
    page = await browser.new_page()
    responses: list[str] = []
    page.on("response", lambda response: responses.append(response.url))
    await page.goto(path.as_uri())
    assert await page.title() != "hacked"
    assert await page.locator("h1").evaluate("it => getComputedStyle(it).color") != "rgb(255, 0, 0)"
    assert [url for url in responses if "example.test" in url] == []
    await page.context.close()


async def test_print_is_dark_on_light_and_complete(browser: Browser, tmp_path: Path) -> None:
    """Printed, it is dark on light also with the dark scheme, and nothing is collapsed or cut off."""
    async with open_report(
        browser, tmp_path, "usual", color_scheme="dark", viewport=ViewportSize(width=680, height=980)
    ) as page:
        await page.emulate_media(media="print")
        assert await page.locator("h1").evaluate("it => getComputedStyle(it).color") == "rgb(28, 27, 25)"
        assert await page.evaluate(CONTRAST) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await expect(page.locator("summary").first).to_be_hidden()
        assert (await page.pdf(format="A4")).startswith(b"%PDF")


async def test_report_works_without_javascript(browser: Browser, tmp_path: Path) -> None:
    """A browser without JavaScript shows all of it, and opens its tables."""
    async with open_report(browser, tmp_path, "usual", java_script_enabled=False) as page:
        await expect(page.locator("#latency")).to_be_visible()
        await page.locator("summary").first.click()
        await expect(page.get_by_role("table").first).to_be_visible()


async def test_report_screenshot_for_the_documentation(browser: Browser, tmp_path: Path) -> None:
    """The image in the documentation: the top of a report; updated by `python -m nox -s picture`."""
    async with open_report(browser, tmp_path, "night", viewport=ViewportSize(width=900, height=1560)) as page:
        screenshot = await page.screenshot(animations="disabled")
    assert len(screenshot) < 250_000
    _save(screenshot)


def _save(screenshot: bytes) -> None:
    path = os.environ.get("REPORT_PICTURE")
    if path:
        Path(path).write_bytes(screenshot)
