"""One decoding engine for rollouts and evaluation: prompts are read once, a token is one captured step."""
