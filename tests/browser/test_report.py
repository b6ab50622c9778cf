"""The report of a bulk run in a real browser: readable in both schemes, on every width, and in need of nothing."""

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
from ..bulk.report.test_page import hostile
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
    "paused": lambda: sample_run(3_000, pause=30_000, fates=0.4, unsent=200),
    "unsent": lambda: sample_run(40, fates=-1, unsent=30),
    "night": lambda: sample_run(20_000, rate=70),
    "empty": lambda: sample_run(0),
    "hostile": hostile,
    "clean": lambda: all_accepted(
        2_000, delivery_report=DeliveryReport(1, "Succeeded", "Viber", 0.01, "GR", None, 2.0)
    ),
    "alike": lambda: all_accepted(500, seconds=4),
    "resumed": lambda: sample_run(2_000, rate=290, pause=16),
}
# What is wider than the page, but for tables that scroll by themselves.
OVERFLOWING = """() => [...document.querySelectorAll("body *")]
  .filter((it) => it.checkVisibility() && !it.closest(".scrolled, .unseen, thead") &&
                  (it.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5 ||
                   it.getBoundingClientRect().left < -0.5))
  .map((it) => it.outerHTML.slice(0, 120))"""
# Texts of one drawing that stand in each other's way.
COLLIDING = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const texts = [...chart.querySelectorAll("text")].filter((it) => it.checkVisibility())
    .map((it) => [it.textContent, it.getBoundingClientRect()]);
  return texts.flatMap(([one, a], at) => texts.slice(at + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
    .map(([other]) => `${one} / ${other}`));
})"""

# Marks of one drawing that run through its texts.
CROSSED = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const lines = [...chart.querySelectorAll("line.quantile-line, line.idle")].map((it) => it.getBoundingClientRect());
  return [...chart.querySelectorAll("text")].filter((it) => it.checkVisibility())
    .filter((it) => { const a = it.getBoundingClientRect(); return lines.some((b) =>
      a.left + 1 < b.left && b.left < a.right - 1 && a.top + 3 < b.bottom && b.top < a.bottom - 3); })
    .map((it) => it.textContent);
})"""


@asynccontextmanager
async def _report(browser: Browser, folder: Path, kind: str, **context: Any) -> AsyncIterator[Page]:
    """The report of a run, opened from its file; it must complain of nothing and ask for nothing."""
    path = folder / f"{kind}.html"
    await write_report(RUNS[kind](), path, name="overnight.sqlite")
    profile = await browser.new_context(**{"viewport": WIDE, **context})
    complaints: list[str] = []
    asked: list[str] = []
    try:
        page = await profile.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(path.as_uri())
        yield page
        assert complaints == []
        assert asked == [path.as_uri()]
    finally:
        await profile.close()


LOOKS = [
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


@pytest.mark.parametrize(("kind", "screen", "scheme"), LOOKS)
async def test_every_text_can_be_read(browser: Browser, tmp_path: Path, kind: str, screen: str, scheme: str) -> None:
    """In both schemes, on every width, with every table open: contrast as WCAG AA has it, and nothing is cut off."""
    async with _report(browser, tmp_path, kind, viewport=SCREENS[screen], color_scheme=scheme) as page:
        for details in await page.locator("details > summary").all():
            await details.click()
        assert await page.evaluate(CONTRAST) == []
        assert await page.evaluate(OVERFLOWING) == []
        assert await page.evaluate(COLLIDING) == []
        assert await page.evaluate(CROSSED) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_every_drawing_has_its_table(browser: Browser, tmp_path: Path) -> None:
    """Each drawing is one image with a name for those who do not see it, and its numbers stand in a table below."""
    async with _report(browser, tmp_path, "usual") as page:
        sections = page.locator("section:has(figure)")
        assert await sections.count() == 5
        for section in await sections.all():
            await expect(section.get_by_role("img")).to_have_accessible_name(re.compile(r"\w{4}"))
            table = section.get_by_role("table")
            await expect(table).to_be_hidden()
            await section.locator("summary").press("Enter")
            await expect(table).to_be_visible()
            assert await table.locator("tbody tr").count() >= 2


async def test_markup_stays_text(browser: Browser, tmp_path: Path) -> None:
    """Reasons full of markup are shown letter by letter; nothing of them runs, is loaded or turns a line around."""
    async with _report(browser, tmp_path, "hostile") as page:
        assert "hacked" not in (await page.title()).split(":")[-1]
        await expect(page.locator("h1")).to_have_count(1)
        await expect(page.locator("bdi", has_text="<script>document.title='hacked'</script>").first).to_be_visible()
        assert await page.locator("main img, main script, body style").count() == 0


async def test_its_policy_lets_nothing_in(browser: Browser, tmp_path: Path) -> None:
    """Should markup ever come in: the page's own policy runs no script, loads no picture and takes no style."""
    path = tmp_path / "usual.html"
    await write_report(sample_run(50), path, name="RUN.sqlite")
    evil = "<script>document.title='hacked'</script><img src='https://example.test/x.png'><style>h1{color:red}</style>"
    path.write_text(path.read_text("utf-8").replace("</main>", f"{evil}</main>"), "utf-8")
    page = await browser.new_page()
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    await page.goto(path.as_uri())
    assert await page.title() != "hacked"
    assert await page.locator("h1").evaluate("it => getComputedStyle(it).color") != "rgb(255, 0, 0)"
    assert [url for url in answered if "example.test" in url] == []
    await page.context.close()


async def test_it_can_be_printed(browser: Browser, tmp_path: Path) -> None:
    """On paper it is dark on light, also for who has chosen the dark scheme, and nothing is folded away or cut off."""
    async with _report(
        browser, tmp_path, "usual", color_scheme="dark", viewport=ViewportSize(width=680, height=980)
    ) as page:
        await page.emulate_media(media="print")
        assert await page.locator("h1").evaluate("it => getComputedStyle(it).color") == "rgb(28, 27, 25)"
        assert await page.evaluate(CONTRAST) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await expect(page.locator("summary").first).to_be_hidden()
        assert (await page.pdf(format="A4")).startswith(b"%PDF")


async def test_without_scripts(browser: Browser, tmp_path: Path) -> None:
    """A browser in which scripts are switched off shows all of it, and opens its tables."""
    async with _report(browser, tmp_path, "usual", java_script_enabled=False) as page:
        await expect(page.locator("#latency")).to_be_visible()
        await page.locator("summary").first.click()
        await expect(page.get_by_role("table").first).to_be_visible()


async def test_the_picture(browser: Browser, tmp_path: Path) -> None:
    """What the documentation shows: how a report begins; taken anew by `python -m nox -s picture`."""
    async with _report(browser, tmp_path, "night", viewport=ViewportSize(width=900, height=1560)) as page:
        picture = await page.screenshot(animations="disabled")
    assert len(picture) < 250_000
    _keep(picture)


def _keep(picture: bytes) -> None:
    wanted = os.environ.get("REPORT_PICTURE")
    if wanted:
        Path(wanted).write_bytes(picture)
