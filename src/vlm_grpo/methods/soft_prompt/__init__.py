"""Soft prompts: learnt embeddings in front of a model that stays as it is."""
