"""The labelling page in a real browser: blind, by keys and by clicks, killed in the middle, and what comes after."""

import json

import pytest
from labelled import COUNT, HOSTILE, arguments, serving, write_verdicts
from playwright.sync_api import expect

from chromium import faults, page_of
from vlm_grpo.paper import agreement_command
from vlm_grpo.store import jsonl

SECRETS = ("secretmodel", "secretreason", "secretjudge")


def records(folder):
    return jsonl.read(folder / "labels.jsonl")


def shown(page, number):
    expect(page.locator("#count")).to_have_text(f"{number} of {COUNT} labelled")


def question(page):
    return page.locator("dd").first.text_content()


def test_keys_clicks_undo_skip_and_notes_survive_a_kill(browser, tmp_path):
    write_verdicts(tmp_path)
    words = arguments(tmp_path, "--annotator", "ann")
    with serving(*words) as (address, process), page_of(browser) as page:
        page.goto(address)
        shown(page, 0)
        assert not any(word in page.content() for word in SECRETS)
        expect(page.locator("img")).to_have_js_property("naturalWidth", 64)
        first = question(page)
        page.keyboard.press("n")
        page.keyboard.type("a doubtful one, u 1 s")
        page.keyboard.press("Escape")
        page.keyboard.press("a")
        shown(page, 1)
        assert records(tmp_path)[0] | {"time": None, "seconds": None} == {
            "row_id": first.replace("question ", "r"),
            "model": "secretmodel",
            "annotator": "ann",
            "aligns": True,
            "type": None,
            "note": "a doubtful one, u 1 s",
            "seconds": None,
            "time": None,
        }
        assert records(tmp_path)[0]["seconds"] > 0
        second = question(page)
        page.get_by_role("button", name="missing detail").click()
        shown(page, 2)
        page.keyboard.press("u")
        shown(page, 1)
        assert question(page) == second
        assert records(tmp_path)[-1]["undone"]
        page.keyboard.press("s")
        expect(page.locator("dd").first).not_to_have_text(second)
        page.keyboard.press("1")
        shown(page, 2)
        process.kill()
        process.wait()
        page.keyboard.press("a")
        expect(page.get_by_role("status")).to_contain_text("start the same command again")
        page.errors[:] = [error for error in page.errors if "ERR_CONNECTION" not in error]
    with serving(*words) as (address, _), page_of(browser) as page:
        page.goto(address)
        for number in range(2, COUNT):
            shown(page, number)
            page.keyboard.press("a")
        expect(page.locator("#results")).to_be_visible()
        expect(page.get_by_text("judged misaligned and confirmed")).to_be_visible()
        assert page.locator("article").count() > 0
        expect(page.locator("#disputed")).to_contain_text("secretjudge")
        expect(page.locator("#disputed")).to_contain_text("secretreason")
        assert faults(page) == []
    counted = {(row["row_id"], row["annotator"]) for row in records(tmp_path)}
    assert len(counted) == COUNT


def test_each_annotator_has_an_order_of_their_own_and_the_labels_are_ready_to_use(browser, tmp_path, capsys):
    write_verdicts(tmp_path)
    orders = {}
    with serving(*arguments(tmp_path)) as (address, _):
        for name in ("ann", "bob"):
            with page_of(browser) as page:
                page.goto(address)
                page.get_by_label("Your name or initials").fill(name)
                page.keyboard.press("Enter")
                orders[name] = []
                for number in range(COUNT):
                    shown(page, number)
                    orders[name].append(question(page))
                    page.keyboard.press("1" if number % 3 == 0 else "a")
                expect(page.locator("#results")).to_be_visible()
        with page_of(browser) as page:
            page.goto(address)
            page.get_by_label("Your name or initials").fill("bob")
            page.keyboard.press("Enter")
            expect(page.get_by_role("region", name="ann (rows) against bob (columns)")).to_be_visible()
    assert orders["ann"] != orders["bob"]
    assert sorted(orders["ann"]) == sorted(orders["bob"])
    given = ["--verdicts", str(tmp_path / "verdicts.jsonl"), "--human", str(tmp_path / "labels.jsonl")]
    agreement_command.main([*given, "--format", "json"])
    made = json.loads(capsys.readouterr().out)
    assert [one["human"] for one in made["corrected"]] == ["ann", "bob"]
    assert all(sum(one["sample"].values()) == COUNT for one in made["corrected"])


@pytest.mark.parametrize("scheme, width", [("light", 1200), ("dark", 400)])
def test_text_of_models_is_no_markup_and_everyone_can_use_the_page(browser, tmp_path, scheme, width):
    write_verdicts(tmp_path, reasoning=HOSTILE + " word" * 3000)
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with (
        serving(*arguments(tmp_path, "--annotator", HOSTILE[:40])) as (address, _),
        page_of(browser, **options) as page,
    ):
        page.goto(address)
        shown(page, 0)
        assert page.title() == "Labels by hand"
        assert "<script>" in page.locator("dd").nth(1).text_content()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert faults(page) == []
