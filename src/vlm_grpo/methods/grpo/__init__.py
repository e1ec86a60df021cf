"""GRPO with LoRA."""
