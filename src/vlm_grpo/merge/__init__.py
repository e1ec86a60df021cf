"""Fold a LoRA adapter into its base, and prove that the result says the same."""
