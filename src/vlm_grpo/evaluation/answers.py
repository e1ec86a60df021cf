"""`extract_answer(text, rule)`: the truth value that a completion states, where scripts and notebooks look for it."""

from vlm_grpo.tasks.answers.truth import TRUTH

extract_answer = TRUTH.read
