"""SFT with LoRA."""
