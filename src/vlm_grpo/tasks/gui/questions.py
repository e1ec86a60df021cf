"""What is asked of two screenshots: the defects by name, and the question around an action."""

NAME = "gui"
NO_DEFECT = "No Defect"
DEFECTS = {
    "Operation No Response": "nothing happens",
    "Virtual Keyboard Related Issue": "the keyboard on the screen is in the way, or does not type",
    "Navigation Logic Error": "another page comes than the one that was asked for",
    "Unexpected Task Result": "something else changes than what was asked for",
}
"""Of VLM-R1's file, in its order, with meanings in our words."""
CLASSES = (*DEFECTS, NO_DEFECT)


def problem(action: str) -> str:
    """The question about drawn screenshots; records of others bring their own.

    >>> problem("scroll down").splitlines()[0]
    'The first screenshot is from before, the second from after the action [scroll down].'
    """
    named = "\n".join(f"- {name}: {meaning}" for name, meaning in DEFECTS.items())
    return (
        f"The first screenshot is from before, the second from after the action [{action}].\n"
        f"Which of these defects do they show?\n{named}\nAnswer with its name, or with {NO_DEFECT}."
    )


def action_of(asked: str) -> str | None:
    """The action in a question: what stands in its first square brackets; None where there are none.

    >>> action_of("You are given the action performed: [press the home button].")
    'press the home button'
    """
    start = asked.find("[")
    end = asked.find("]", start)
    return asked[start + 1 : end].strip() if 0 <= start < end else None
