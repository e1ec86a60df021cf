"""A look as one HTML file: a slider and arrow keys over the tokens, the picture and the text side by side.

Pictures and figures are in the file itself; nothing is fetched.
"""

import base64
import io
import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from vlm_grpo.attention.shown import Shown, packed

LONGEST_SIDE = 800


def render(shown: Shown) -> str:
    """The page's HTML."""
    environment = Environment(
        loader=PackageLoader("vlm_grpo.attention"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    data: dict[str, Any] = {
        "tokens": shown.tokens,
        "context": [piece for _, piece in shown.context],
        "boxes": [[cell.picture, *cell.box] for cell in shown.look.cells],
        "cells": packed(shown.cell_strengths),
        "texts": packed(shown.text_strengths),
        "shares": [shown.on_picture, shown.on_prompt, shown.on_completion],
    }
    return environment.get_template("attention.html.jinja").render(
        shown=shown,
        pictures=[_data_uri(picture) for picture in shown.pictures],
        sizes=[picture.size for picture in shown.pictures],
        data=json.dumps(data).replace("<", "\\u003c"),
    )


def _data_uri(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stored = io.BytesIO()
    small.save(stored, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"
