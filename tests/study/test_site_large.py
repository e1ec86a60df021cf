"""A study of 10,000 rows and six runs in a real browser: what is in sight is all that is drawn, and nothing is lost."""

import pytest
from large_study import RUNS, write_large_study
from playwright.sync_api import expect

from chromium import page_of

ROWS = 10_000


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_large_study(tmp_path_factory.mktemp("large"), ROWS)


@pytest.mark.slow
def test_ten_thousand_rows_are_listed_scrolled_and_searched(browser, results):
    with page_of(browser) as page:
        loaded = []
        page.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
        page.goto(f"file://{results / 'site' / 'answers.html'}")
        expect(page.locator("#count")).to_contain_text("10,000 of 10,000")
        expect(page.locator("#detail .card")).to_have_count(RUNS)
        rows = page.locator("#list [role=option]")
        assert rows.count() < 60, "only what is in sight is drawn"
        assert [name for name in loaded if name.startswith("answers-")] == ["answers-000.js"]
        page.locator("#list").evaluate("list => { list.scrollTop = list.scrollHeight / 2; }")
        expect(page.get_by_role("option", name="validation-5000:")).to_be_visible()
        assert rows.count() < 60
        page.locator("#list").press("End")
        expect(page.locator("#detail h2")).to_have_text(f"validation-{ROWS - 1}")
        page.goto(f"file://{results / 'site' / 'answers.html'}#only=arm5~arm0")
        page.reload()
        expect(page.locator("#count")).to_contain_text("1 of 10,000")
        expect(page.locator("#detail h2")).to_have_text("validation-9999")
        page.keyboard.press("x")
        page.keyboard.press("/")
        page.keyboard.type("nobody says so")
        expect(page.locator("#count")).to_have_text("0 of 10,000 rows of validation", timeout=60_000)
        page.get_by_label("Search").fill("LIES left of")
        expect(page.locator("#count")).to_have_text("10,000 of 10,000 rows of validation")
        assert len({name for name in loaded if name.startswith("answers-")}) == ROWS // 200
