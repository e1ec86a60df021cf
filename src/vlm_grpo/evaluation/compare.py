"""Which of two arms is right more often on the same rows: `python -m vlm_grpo.evaluation.compare DIR_A DIR_B`.

Prints both scores, the discordant counts and the exact McNemar test; `--out FILE.json` also writes them. Each arm is
read by the rule it was evaluated with. Arms evaluated on different rows are refused.
"""

import argparse

from vlm_grpo import tables
from vlm_grpo.errors import exits_cleanly
from vlm_grpo.evaluation.arms import compare, open_arm
from vlm_grpo.evaluation.summary import arms_table
from vlm_grpo.paths import user_path
from vlm_grpo.store import atomic


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=user_path, metavar="DIR_A", help="folder of a finished evaluation")
    parser.add_argument("second", type=user_path, metavar="DIR_B", help="another one, on the same rows")
    parser.add_argument("--out", type=user_path, metavar="FILE.json", help="also write the comparison there")
    given = parser.parse_args(argv)
    first, second = open_arm(given.first), open_arm(given.second)
    compared = compare(first, second)
    arms = {str(given.first): first.scores, str(given.second): second.scores}
    print(tables.to_text(arms_table(arms, title=f"Split {first.scores['split']}")))
    print(
        f"only the first right: b = {compared['b']}; only the second right: c = {compared['c']}; "
        f"exact McNemar p = {compared['mcnemar_p']:.3g}; "
        f"accuracy of the second less the first: {compared['difference']:+.3f}"
    )
    if "credit_difference" in compared:
        credit = tables.estimate_cell(compared["credit_difference"], sign="+")
        print(f"mean credit of the second less the first: {credit}, bootstrap over pictures")
    if given.out:
        atomic.write_json(given.out, {"first": str(given.first), "second": str(given.second), **compared})


if __name__ == "__main__":
    main()
