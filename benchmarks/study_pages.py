"""How long the answers page of a large study takes to open and to scroll, in Debian's Chromium, from the disk.

    python benchmarks/study_pages.py [--rows 10000]

Prints seconds from navigation until the first row's answers are shown (median of five, each in a new browser context),
and the longest and the median time between frames while the list is scrolled from end to end.

Measured on two shared CPU cores, 10,000 rows x 6 runs (18 MB):
    opened: 0.40 s (median of 5)
    scrolled: median 17 ms between frames, longest 114 ms
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path += [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "study")]

SCROLL = """async () => {
  const list = document.getElementById("list"), times = [];
  let last = performance.now();
  for (let i = 0; i <= 180; i += 1) {
    list.scrollTop = (list.scrollHeight - list.clientHeight) * i / 180;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    from large_study import write_large_study

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        results = write_large_study(Path(folder), rows)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = [open_and_scroll(browser, results) for _ in range(5)]
        frames = [time for _, times in opened for time in times[1:]]
        print(f"opened: {statistics.median(seconds for seconds, _ in opened):.2f} s (median of 5)")
        print(f"scrolled: median {statistics.median(frames):.0f} ms between frames, longest {max(frames):.0f} ms")
        browser.close()


def open_and_scroll(browser: Browser, results: Path) -> tuple[float, list[float]]:
    """Seconds until the first row is shown, and milliseconds between frames while scrolling."""
    context = browser.new_context()
    page = context.new_page()
    started = time.monotonic()
    page.goto(f"file://{results / 'site' / 'answers.html'}")
    page.locator("#detail .card").first.wait_for()
    seconds = time.monotonic() - started
    times = page.evaluate(SCROLL)
    context.close()
    return seconds, times


if __name__ == "__main__":
    main()
