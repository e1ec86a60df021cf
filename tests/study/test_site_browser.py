"""The pages in a real browser, opened from the disk: filters, permalinks, keys, slider, themes, hostile text."""

from contextlib import contextmanager

import pytest
from page_study import HOSTILE, save_boxes, save_odd_names, save_page_study
from playwright.sync_api import expect

from chromium import faults, page_of
from vlm_grpo.study.page import main

PAGES = ("index", "training", "rollouts", "answers", "probes", "provenance")
NARROW = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = save_page_study(tmp_path_factory.mktemp("study"))
    main([str(results)])
    return results


def address(results, name, state=""):
    file = results / "index.html" if name == "index" else results / "site" / f"{name}.html"
    return f"file://{file}{state}"


@contextmanager
def opened(browser, results, name, state="", **options):
    with page_of(browser, **options) as page:
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address(results, name, state))
        yield page
        assert all(url.startswith(("file://", "data:")) for url in requests), requests
        assert "owned" not in page.title()


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_from_the_disk_without_a_serious_fault(browser, results, name):
    with opened(browser, results, name, color_scheme="light") as page:
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        expect(page.locator("nav a[aria-current=page]")).to_have_count(1)
        page.wait_for_load_state("networkidle")
        assert faults(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows_a_narrow_screen_or_fades_in_the_dark(browser, results, name):
    with opened(browser, results, name, viewport=NARROW, color_scheme="dark") as page:
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert faults(page) == []


def test_the_theme_is_kept_from_page_to_page(browser, results):
    with opened(browser, results, "index", color_scheme="light") as page:
        page.get_by_role("button", name="Dark").click()
        page.get_by_role("link", name="Answers").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.locator("body")).to_have_css("background-color", "rgb(21, 23, 26)")


def test_filters_count_and_stand_in_the_address(browser, results):
    with opened(browser, results, "answers") as page:
        count = page.locator("#count")
        expect(count).to_have_text("12 of 12 rows of validation")
        page.get_by_text("Filters", exact=True).click()
        page.locator('select[name="is.base"]').select_option("wrong")
        expect(count).to_contain_text("6 of 12")
        page.get_by_label("Discordant").select_option("grpo right, base not")
        expect(count).to_contain_text("6 of 12")
        page.locator('select[name="in.relations"]').select_option("above")
        expect(count).to_contain_text("2 of 12")
        where = page.url
    with opened(browser, results, "answers", f"#{where.partition('#')[2]}") as page:
        expect(page.locator("#count")).to_contain_text("2 of 12")
        page.keyboard.press("x")
        expect(page.locator("#count")).to_contain_text("12 of 12")


def test_the_judge_and_what_was_said_can_be_asked_for(browser, results):
    with opened(browser, results, "answers", "#says.grpo=contradiction") as page:
        expect(page.locator("#count")).to_contain_text("1 of 12")
        expect(page.locator(".verdict")).to_contain_text("contradiction because <b>0</b> (judge rules)")
        page.keyboard.press("x")
        page.keyboard.press("/")
        page.keyboard.type("ONERROR=")
        expect(page.locator("#count")).to_contain_text("12 of 12")
        page.keyboard.type(" nobody says this")
        expect(page.locator("#count")).to_contain_text("0 of 12")


def test_counts_of_the_overview_lead_to_their_rows(browser, results):
    with opened(browser, results, "index") as page:
        row = page.get_by_role("region", name="Pairs of arms").get_by_role("row").nth(2)
        expect(row).to_contain_text("+0.500")
        row.get_by_role("link").nth(1).click()
        expect(page.locator("#count")).to_contain_text("6 of 12")


def test_a_permalink_shows_its_row_and_keys_go_on(browser, results):
    with opened(browser, results, "answers", "#row=validation-004") as page:
        heading = page.locator("#detail h2")
        expect(heading).to_have_text("validation-004")
        expect(page.locator("[role=option][aria-selected=true]")).to_contain_text("validation-004")
        page.keyboard.press("j")
        expect(heading).to_have_text("validation-005")
        assert page.url.endswith("#row=validation-005")
        page.keyboard.press("k")
        page.keyboard.press("k")
        expect(heading).to_have_text("validation-003")
        page.go_back()
        expect(heading).not_to_have_text("validation-003")
        page.keyboard.press("f")
        assert page.evaluate("document.activeElement.tagName") == "SELECT"
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("next row")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_row_stands_beside_itself_under_each_probe(browser, results):
    with opened(browser, results, "probes", "#probe=wrong_think&which=p") as page:
        count, cards = page.locator("#count"), page.locator(".beside .card")
        expect(count).to_have_text("6 rows")
        expect(cards.nth(0)).to_contain_text("It is.")
        expect(cards.nth(1)).to_contain_text("the pushed answer")
        expect(cards.nth(1).locator(".given")).to_have_text("All in all, the answer is False.")
        page.locator("select[name=probe]").select_option("wrong_caption")
        expect(page.locator(".problem .given")).to_contain_text("the answer is False")
        page.locator("select[name=which]").select_option("all that were asked")
        page.keyboard.press("n")
        expect(page.locator(".beside h4").nth(1)).to_have_text("early answering 0%")
        page.locator("select[name=which]").select_option("could not be asked")
        expect(count).to_have_text("1 rows")
        expect(page.locator(".missing")).to_have_text("early_answering <i>cannot</i>")
        page.locator("select[name=probe]").select_option("other_picture")
        page.locator("select[name=which]").select_option("all that were asked")
        expect(page.locator(".beside img")).to_have_count(2)
        own, other = (page.locator(".beside img").nth(n).get_attribute("src") for n in (0, 1))
        assert own != other
        where = page.url
    with opened(browser, results, "probes", f"#{where.partition('#')[2]}") as page:
        expect(page.locator(".beside h4").nth(1)).to_have_text("other picture")
        for figure, numbers in (("slope", "Holm p"), ("chart:not(.slope)", "0% of the thought kept: 5 of 11")):
            shown = page.locator(f".{figure} .shows").first
            shown.hover()
            assert numbers in shown.locator("title").text_content()


def test_a_picture_opens_whole_and_zooms(browser, results):
    with opened(browser, results, "answers") as page:
        expect(page.locator("#detail img")).to_be_visible()
        page.keyboard.press("z")
        stage = page.locator(".stage")
        expect(stage.locator("img")).to_be_visible()
        assert stage.locator("img").evaluate("image => image.complete && image.naturalWidth") == 112
        page.keyboard.press("+")
        expect(stage.locator(".frame")).to_have_attribute("style", "transform: translate(0px, 0px) scale(1.5);")
        page.keyboard.press("Escape")
        expect(stage).to_have_count(0)


def test_answers_are_drawn_over_the_picture(browser, tmp_path):
    results = save_boxes(tmp_path)
    main([str(results)])
    with opened(browser, results, "answers", "#row=box-1") as page:
        shown = page.locator("#detail .overlay")
        expect(shown.locator("polygon")).to_have_count(3)
        assert shown.get_attribute("viewBox") == "0 0 112 112"
        truth = shown.locator(".truth polygon")
        assert truth.evaluate("shape => [shape.getBBox().width, shape.getBBox().height]") == [50, 60]
        assert shown.bounding_box() == page.locator("#detail .frame img").bounding_box()
        page.get_by_role("checkbox", name="truth").uncheck()
        expect(truth).to_be_hidden()
        assert faults(page) == []
        page.keyboard.press("z")
        expect(page.locator(".stage polygon")).to_have_count(3)


def test_hostile_text_stays_text(browser, results):
    with opened(browser, results, "answers", "#row=validation-001") as page:
        card = page.get_by_role("article", name="sft")
        expect(card).to_contain_text('<script>document.title="owned"</script>')
        expect(card).to_contain_text("<img src=x onerror=")
        assert card.locator("img, script").count() == 0
        assert HOSTILE.count("<script>") == 1
    with opened(browser, results, "rollouts") as page:
        expect(page.locator("#group")).to_contain_text("<img src=x onerror=")
        assert page.locator("#group script").count() == 0


def test_hostile_ids_and_file_names_are_names(browser, tmp_path):
    results = save_odd_names(tmp_path)
    main([str(results), "--pictures", "link"])
    with opened(browser, results, "answers", "#row=%3Cb%3E1%3C%2Fb%3E") as page:
        expect(page.locator("#detail h2")).to_have_text("<b>1</b>")
        page.keyboard.press("j")
        expect(page.locator("#detail h2")).to_have_text("<b>2</b>")
        page.keyboard.press("z")
        expect(page.locator(".stage img")).to_be_visible()
        assert page.locator(".stage img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 900


def test_the_slider_goes_through_the_steps(browser, results):
    with opened(browser, results, "rollouts", "#run=grpo&step=2") as page:
        heading = page.locator("#group h2")
        expect(heading).to_contain_text("grpo, step 2")
        expect(page.locator("#group .rollout")).to_have_count(4)
        expect(page.locator("#group .rollout").first).to_contain_text("advantage −1.50")
        page.get_by_role("slider").press("ArrowRight")
        expect(heading).to_contain_text("step 3")
        page.locator("body").press("l")
        expect(heading).to_contain_text("step 4")
        assert "step=4" in page.url
        page.keyboard.press("j")
        expect(page.locator("#strip [aria-pressed=true]")).to_contain_text("2 reward")
        page.keyboard.press("j")
        expect(heading).to_contain_text("step 5")
        expect(page.locator("#group .flag").first).to_have_text("unparsed")


def test_surprising_groups_and_texts_lead_to_their_step(browser, results):
    with opened(browser, results, "rollouts") as page:
        page.get_by_label("Surprising").select_option(label="most unparsed (12)")
        page.locator("#found li button").nth(3).click()
        step = page.locator("#found li b").nth(3).text_content()
        expect(page.locator("#group h2")).to_contain_text(step)
        page.keyboard.press("/")
        page.keyboard.type("step6 n2")
        expect(page.locator("#found h2")).to_have_text("2 groups say “step6 n2”")
        page.locator("#found li button").first.click()
        expect(page.locator("#group mark").first).to_have_text("step6 n2")


def test_a_row_is_put_beside_itself_at_another_step(browser, results):
    with opened(browser, results, "rollouts", "#run=grpo&step=1") as page:
        beside = page.get_by_label("Beside it")
        beside.select_option(label="step 5")
        expect(page.locator("#group h2")).to_have_count(2)
        expect(page.locator("#group h2").nth(1)).to_contain_text("step 5")
        problems = page.locator("#group .asked p.dim").all_text_contents()
        assert problems[0] == problems[1]
        assert "beside=" in page.url


def test_curves_are_read_by_keys_and_lead_to_rollouts(browser, results):
    with opened(browser, results, "training") as page:
        chart = page.get_by_role("group", name="Distance from the reference")
        chart.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        box = page.locator(".curve-box", has=chart)
        expect(box.locator(".readout")).to_contain_text("step 3 sft 0.03")
        expect(box.locator(".readout")).to_contain_text("grpo 0.03")
        page.get_by_role("checkbox", name="sft").uncheck()
        expect(page.locator(".readout").first).to_be_attached()
        chart = page.get_by_role("group", name="Distance from the reference")
        chart.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.locator("#group h2")).to_contain_text("grpo, step 2")


def test_a_printed_page_has_no_tools(browser, results):
    with opened(browser, results, "answers") as page:
        page.emulate_media(media="print")
        expect(page.locator(".rail")).to_be_hidden()
        expect(page.locator("#detail .card").first).to_be_visible()


def test_what_is_dark_is_printed_light(browser, results):
    with opened(browser, results, "training", color_scheme="dark") as page:
        page.evaluate("""
            window.printed = [];
            document.addEventListener("theme", () => window.printed.push(document.documentElement.dataset.theme));
        """)
        page.pdf()
        page.wait_for_function("window.printed.length === 2")
        assert page.evaluate("window.printed") == ["light", "dark"]


def test_the_overview_begins_with_the_question_and_a_row_of_it(browser, results):
    with opened(browser, results, "index") as page:
        section = page.get_by_role("region", name="The question")
        expect(section).to_contain_text(
            "Which of base, sft and grpo answers most of the 12 rows of validation (task vsr)"
        )
        expect(section).to_contain_text("Does the reasoning lead to the answer?")
        assert section.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 112
        section.get_by_role("link").click()
        expect(page.locator("#detail h2")).to_have_text("validation-000")
