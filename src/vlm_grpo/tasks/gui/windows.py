"""Drawn screenshots: a small app before and after an action, with the defect that is asked for, or with none.

The app has two pages, two toggles, a field and a list. What an action should do, and what a defect makes of it, is said
on `Screen`, so that every picture follows from its state. For tests, and for trying the task without its pictures,
which VLM-R1 keeps apart from its records.
"""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 168, 224
PAGES = ("Home", "Settings")
TOGGLES = ("Wi-Fi", "Sound")
WORDS = ("cats", "news", "maps", "rain")
FONT = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True, slots=True)
class Screen:
    """What is on the screen: the page, the toggles that are on, the text of the field, the list's first item."""

    page: int = 0
    is_on: tuple[bool, bool] = (False, False)
    field: str = ""
    first: int = 1
    has_keyboard: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """An action in words, and what it should make of a screen."""

    words: str
    does: Callable[[Screen], Screen]


def flipped(screen: Screen, toggle: int) -> Screen:
    """`screen` with the `toggle` of that number flipped."""
    first, second = screen.is_on
    return replace(screen, is_on=(not first, second) if toggle == 0 else (first, not second))


def actions(screen: Screen) -> list[Action]:
    """What can be done on `screen`."""
    other = PAGES[1 - screen.page]
    return [
        *(
            Action(f'click on the "{name}" toggle', functools.partial(flipped, toggle=number))
            for number, name in enumerate(TOGGLES)
        ),
        Action(f'click on the "{other}" tab', lambda before: replace(before, page=1 - before.page)),
        Action("scroll down", lambda before: replace(before, first=before.first + 2)),
        *(
            Action(f'type "{word}" into the field', functools.partial(replace, field=word))
            for word in WORDS
            if word != screen.field
        ),
    ]


def after(before: Screen, action: Action, defect: str, rng: random.Random) -> Screen:
    """The screen that `action` leaves under `defect` (a name of `questions.CLASSES`); an action must allow it."""
    meant = action.does(before)
    if defect == "No Defect":
        return meant
    if defect == "Operation No Response":
        return before
    if defect == "Virtual Keyboard Related Issue":
        return replace(before, has_keyboard=True)
    if defect == "Navigation Logic Error":
        return replace(before, page=1 - before.page)
    others = [flipped(before, 0), flipped(before, 1), replace(before, field=rng.choice(WORDS) + "!")]
    return rng.choice([screen for screen in others if screen != meant])


def allows(action: Action, defect: str) -> bool:
    """Whether `action` can show `defect`: a keyboard is for typing, and a wrong page is no news where one is asked."""
    if defect == "Virtual Keyboard Related Issue":
        return action.words.startswith("type")
    return defect != "Navigation Logic Error" or "tab" not in action.words


def draw(screen: Screen) -> Image.Image:
    """The screenshot, RGB, `WIDTH` x `HEIGHT` pixels."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, WIDTH, 24), "navy")
    pen.text((8, 5), PAGES[screen.page], "white", _font(12))
    for number, name in enumerate(PAGES):
        left = number * WIDTH // 2
        pen.rectangle((left, 24, left + WIDTH // 2, 44), "lightsteelblue" if number == screen.page else "gainsboro")
        pen.text((left + 12, 28), name, "black", _font(11))
    for number, (name, is_on) in enumerate(zip(TOGGLES, screen.is_on, strict=True)):
        top = 52 + 24 * number
        pen.text((8, top), name, "black", _font(12))
        pen.rounded_rectangle((120, top, 156, top + 16), 8, "seagreen" if is_on else "silver")
        pen.ellipse((140, top, 156, top + 16) if is_on else (120, top, 136, top + 16), "white", "black")
    pen.rectangle((8, 102, WIDTH - 8, 124), "white", "black")
    pen.text((14, 106), screen.field, "black", _font(12))
    for place in range(4):
        pen.text((8, 132 + 22 * place), f"Item {screen.first + place}", "black", _font(12))
    if screen.has_keyboard:
        pen.rectangle((0, 96, WIDTH, HEIGHT), "dimgray")
        for row, keys in enumerate(_KEYS):
            for at, key in enumerate(keys):
                left, top = 4 + 16 * at + 6 * row, 104 + 36 * row
                pen.rectangle((left, top, left + 13, top + 28), "white")
                pen.text((left + 3, top + 7), key, "black", _font(11))
    return picture


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)
