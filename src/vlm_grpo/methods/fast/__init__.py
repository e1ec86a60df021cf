"""Exact GRPO that sees each picture once and reads each prompt once: a subclass of TRL's trainer one can switch off."""
