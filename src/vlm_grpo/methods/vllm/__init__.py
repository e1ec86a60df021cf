"""Rollouts by vLLM: it reads what is scored, and answers with the weights that are trained."""
