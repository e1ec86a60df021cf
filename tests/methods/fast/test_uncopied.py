"""A deep copy of prompts is one of their lists, and of their pictures only outside."""

from copy import deepcopy

from tiny_grpo import LONG, SHORT, ask
from vlm_grpo.methods.fast.uncopied import pictures_uncopied


def test_lists_are_copied_and_pictures_are_not():
    prompts = ask((SHORT, [0]), (LONG, [1, 2]), times=1)
    prompts.append(prompts[0])
    with pictures_uncopied(prompts):
        copied = deepcopy(prompts)
    assert copied[1] is not prompts[1]
    assert copied[1]["images"] is not prompts[1]["images"]
    assert all(copied[row]["images"][0] is prompts[row]["images"][0] for row in range(3))
    again = deepcopy(prompts)[0]["images"][0]
    assert again is not prompts[0]["images"][0]
    assert again == prompts[0]["images"][0]
