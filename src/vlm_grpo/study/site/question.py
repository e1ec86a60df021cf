"""The study's question in words, from what it ran: nothing stands in it that was not asked."""

from vlm_grpo.study.site.source import Source


def question(source: Source) -> str:
    """Which arms are compared on which rows, and whether the reasoning was judged."""
    *others, last = source.arms
    rows = next(iter(source.runs.values())).rows
    tasks = ", ".join(dict.fromkeys(row.task for row in rows))
    asked = f"the {len(rows)} rows of {source.summary['split']} (task {tasks})"
    if not others:
        right = f"How many of {asked} does {last} answer right?"
    else:
        more = "most" if len(others) > 1 else "more"
        right = f"Which of {', '.join(others)} and {last} answers {more} of {asked} right, by more than chance?"
    return f"{right} Does the reasoning lead to the answer?" if source.verdicts else right
