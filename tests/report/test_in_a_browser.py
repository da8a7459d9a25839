"""A headless Chromium opens the page, clicks through it, and hears of every fault and request."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import files
from pipeline.stages import report
from tests.report import made_up
from tests.report.chromium import Chromium, installed

pytestmark = pytest.mark.xdist_group("chromium")

DATASET = "hetrec2011-ml"
"""Of made-up content: its name alone has a published table."""
ALL_DRAWN = (
    "[...document.querySelectorAll('figure.chart')]"
    ".every((one) => one.querySelector('.live svg') && one.classList.contains('drawn'))"
)
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => one.open = true)"
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOUND = "[...document.querySelectorAll('#labels-list summary')].map((one) => one.textContent)"
COUNT = "document.getElementById('labels-count').textContent"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with every part, made by the stage from a small made-up project."""
    params = made_up.parameters(dataset=DATASET)
    paths = made_up.project(tmp_path_factory.mktemp("page"), dataset=DATASET)
    figures = made_up.grid(DATASET, params=made_up.fast(params), cut="two backbones of five")
    files.write_json(paths.grid_figures("paper"), figures)
    report.run(params, paths)
    return paths.report


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = installed()
    if program is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium is installed (Debian: chromium), so the page was not opened")
    with Chromium(program, tmp_path_factory.mktemp("chromium") / "home") as browser:
        yield browser


@pytest.fixture
def browser(chromium: Chromium, page: Path) -> Iterator[Chromium]:
    """Yield a browser that shows the page; whatever a test did, nothing failed or was fetched."""
    chromium.screen(1280)
    chromium.open(page)
    yield chromium
    assert chromium.faults() == []
    assert [one for one in chromium.requests() if not one.startswith("data:")] == [page.as_uri()]
    assert chromium.run("document.title") == "distilrec"


def draw_all(browser: Chromium) -> None:
    """Open what is folded away and look at every chart, as a reader does who misses nothing."""
    browser.run(OPEN_ALL)
    browser.run("document.querySelectorAll('figure.chart').forEach((one) => one.scrollIntoView())")
    charts = browser.run("document.querySelectorAll('figure.chart').length")
    for number in range(charts):
        browser.run(f"document.querySelectorAll('figure.chart')[{number}].scrollIntoView()")
        browser.run("new Promise((done) => requestAnimationFrame(() => done(true)))")
    browser.wait(ALL_DRAWN)


def search(browser: Chromium, text: str) -> None:
    browser.click("#labels-search")
    browser.run("document.getElementById('labels-search').select()")
    browser.type(text)


def luminance(browser: Chromium, name: str) -> float:
    """Return the relative luminance of one of the page's colours (WCAG 2.2)."""
    shown = browser.run(
        "(() => { const one = document.body.appendChild(document.createElement('i'));"
        f" one.style.color = 'var(--{name})'; const seen = getComputedStyle(one).color;"
        " one.remove(); return seen; })()"
    )
    parts = [int(one) / 255 for one in shown[4:-1].split(", ")]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_each_part_is_a_click_away_and_every_chart_comes_alive(browser: Chromium) -> None:
    links = browser.run("[...document.querySelectorAll('nav a')].map((one) => one.hash)")
    assert len(links) == 13
    for link in links:
        browser.click(f'nav a[href="{link}"]')
        browser.wait(
            f"(({{top, bottom}}) => top < innerHeight && bottom > 0)"
            f"(document.querySelector('{link} h2').getBoundingClientRect())"
        )
    draw_all(browser)
    assert browser.run("document.querySelectorAll('figure.chart').length") >= 14


def test_a_chart_shows_its_figures_where_the_mouse_is(browser: Chromium) -> None:
    browser.run("document.querySelector('#bytes figure').scrollIntoView({block: 'center'})")
    browser.wait("document.querySelector('#bytes figure.drawn .live svg')")
    browser.hover("#bytes .live .mark-symbol.layer_1_marks path")
    browser.wait("document.querySelector('#vg-tooltip-element.visible')?.textContent")
    shown = browser.run("document.querySelector('#vg-tooltip-element').textContent")
    assert "kB" in shown
    assert "NDCG@10" in shown
    assert "undefined" not in shown


def test_a_title_is_found_and_shown_as_the_text_it_is(browser: Chromium) -> None:
    for hostile in made_up.HOSTILE[:4]:
        search(browser, hostile)
        browser.wait(f"{COUNT} !== '25 labels found, 10 shown'")
        assert browser.run(f"{FOUND}.length") > 0
    search(browser, made_up.HOSTILE[2])
    browser.click("#labels-list summary")
    browser.wait("document.querySelector('#labels-list .parts')")
    words = browser.run("document.querySelector('#labels-list .parts').innerText")
    assert made_up.HOSTILE[2] in words
    assert browser.run("document.querySelectorAll('#labels img, #labels-list script').length") == 0


def test_a_label_shows_session_ranking_and_candidates(browser: Chromium) -> None:
    search(browser, "1")
    browser.wait(f"{FOUND}.some((one) => one.includes('session 1:'))")
    place = browser.run(f"{FOUND}.findIndex((one) => one.includes('session 1:'))")
    browser.click(f"#labels-list details:nth-child({place + 1}) summary")
    box = f"#labels-list details:nth-child({place + 1}) .parts"
    browser.wait(f"document.querySelector('{box}')")
    lists = json.loads(
        browser.run(
            f"JSON.stringify([...document.querySelectorAll('{box} ol')].map((one) =>"
            " [...one.children].map((row) => row.textContent)))"
        )
    )
    assert [len(one) for one in lists] == [8, 8, 12]
    assert lists[0][-1].endswith("the held-back item")
    assert lists[1][-1].endswith("candidate 1, the held-back item")
    assert lists[1][0].endswith("candidate 2")


def test_labels_are_filtered_and_shown_ten_at_a_time(browser: Chromium) -> None:
    assert browser.run(COUNT) == "25 labels found, 10 shown"
    for shown in (20, 25):
        browser.click("#labels-more")
        browser.wait(f"{COUNT} === '25 labels found, {shown} shown'")
    assert browser.run("document.getElementById('labels-more').hidden")
    for value, found in {"unusable": 5, "named": 20, "unnamed": 5, "first": 0}.items():
        browser.run(f"document.getElementById('labels-filter').value = '{value}'")
        browser.run("document.getElementById('labels-filter').dispatchEvent(new Event('input'))")
        assert browser.run(COUNT).startswith(f"{found} labels found")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_scrolling_sideways(
    browser: Chromium, page: Path, scheme: str
) -> None:
    browser.screen(360, scheme=scheme)
    browser.open(page)
    draw_all(browser)
    browser.run("document.querySelectorAll('#labels-list details').forEach((one) => one.open = 1)")
    assert browser.run(SIDEWAYS) == 0
    wide = browser.run(
        "[...document.querySelectorAll('.live svg')]"
        ".filter((one) => one.getBoundingClientRect().right > 361).length"
    )
    assert wide == 0


def test_tables_need_no_scrolling_on_a_wide_screen(browser: Chromium) -> None:
    browser.run(OPEN_ALL)
    wide = (
        "[...document.querySelectorAll('.wide')].filter((one) => one.scrollWidth > one.clientWidth)"
        ".map((one) => one.getAttribute('aria-label'))"
    )
    assert browser.run("document.querySelectorAll('.wide').length") > 4
    assert browser.run(wide) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_told_from_its_ground(browser: Chromium, page: Path, scheme: str) -> None:
    browser.screen(1280, scheme=scheme)
    browser.open(page)
    ground = {name: luminance(browser, name) for name in ("paper", "panel", "note")}
    words = {name: luminance(browser, name) for name in ("ink", "soft", "mark", "good")}
    assert (words["ink"] > ground["paper"]) == (scheme == "dark")
    pairs = [(one, "paper") for one in words] + [("soft", "panel"), ("ink", "note")]
    for word, behind in pairs:
        low, high = sorted((words[word], ground[behind]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (word, behind)


def test_on_paper_stand_the_pictures_that_were_drawn_beforehand(browser: Chromium) -> None:
    draw_all(browser)
    browser.on_paper()
    shown = "[...document.querySelectorAll('{}')].map((one) => one.checkVisibility())"
    assert set(browser.run(shown.format("figure.chart .still"))) == {True}
    for hidden in ("figure.chart .live", "nav", "#labels .asked", "#labels-list"):
        assert set(browser.run(shown.format(hidden))) == {False}
    assert browser.pdf().startswith(b"%PDF-")


def test_without_scripts_all_but_the_browser_of_labels_is_there(
    browser: Chromium, page: Path
) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    shown = browser.run(
        "[...document.querySelectorAll('figure.chart .still svg')].map((one) =>"
        " one.closest('details:not([open])') || one.getBoundingClientRect().width > 300)"
    )
    assert all(shown)
    assert browser.run("document.querySelectorAll('.live').length") == 0
    assert browser.run("document.querySelector('#labels .unready').checkVisibility()")


def test_a_page_with_faults_is_noticed(chromium: Chromium, tmp_path: Path) -> None:
    """The other tests would fail: what they look at says so here."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><title>bad</title><img src='http://127.0.0.1:9/x'>"
        "<script>console.error('one'); undefinedName();</script>"
    )
    chromium.open(bad)
    assert "http://127.0.0.1:9/x" in chromium.requests()
    faults = " ".join(chromium.faults())
    assert "one" in faults
    assert "undefinedName" in faults
