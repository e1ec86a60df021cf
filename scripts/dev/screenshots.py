"""Pictures of each page of a study at two sizes, light and dark (`screenshots.sh`)."""

import os
import shutil
import sys
from itertools import product
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZES = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 390, "height": 844}}
PAGES = {
    "overview": "index.html",
    "training": "site/training.html",
    "rollouts": "site/rollouts.html",
    "answers": "site/answers.html",
    "provenance": "site/provenance.html",
}


def main() -> None:
    """Write OUT/PAGE-SIZE-SCHEME.png."""
    results, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        for (size, viewport), scheme in product(SIZES.items(), ("light", "dark")):
            context = browser.new_context(viewport=viewport, color_scheme=scheme)
            page = context.new_page()
            for name, file in PAGES.items():
                if (results / file).exists():
                    page.goto((results / file).as_uri())
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=out / f"{name}-{size}-{scheme}.png", full_page=name != "answers")
            context.close()
        browser.close()
    print(f"pictures: {out}")


if __name__ == "__main__":
    main()
