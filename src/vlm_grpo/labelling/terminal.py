"""Labels in the terminal: each item is printed, a key or a line answers it."""

import sys

from vlm_grpo.labelling.session import Session
from vlm_grpo.labelling.work import Item


def ask(session: Session) -> None:
    """Ask until the sample is done or the annotator quits."""
    work = session.work
    print(f"{session.done} of {len(work.items)} labelled. {work.instruction}")
    meanings = {choice: None for item in work.items for choice in item.choices if choice.meaning}
    for choice in meanings:
        print(f"  {choice.key} {choice.name}: {choice.meaning}")
    skipped: set[tuple[str, ...]] = set()
    while session.item is not None and session.item.key not in skipped:
        item = session.item
        _show(item)
        said = _said(item)
        if said == "q":
            return
        if said == "u":
            session.undo() or print("there is nothing to undo")
        elif said == "s":
            skipped.add(item.key)
            session.skip(item.key)
        elif not session.label(item.key, said):
            print(f"{said!r} is none of these" if item.choices else f"{said!r} is not {item.entry}")


def _show(item: Item) -> None:
    print("\n" + "-" * 80)
    for picture in item.pictures:
        print(f"picture:   {picture}")
    for name, text in item.texts:
        print(f"{name + ':':<11}{text}")


def _said(item: Item) -> str:
    names = [f"{choice.key} {choice.name}" for choice in item.choices] or [item.entry]
    sys.stdout.flush()
    try:
        line = input(" | ".join([*names, "s skip", "u undo", "q quit > "])).strip()
    except EOFError:
        return "q"
    return line.lower() if item.choices else line
