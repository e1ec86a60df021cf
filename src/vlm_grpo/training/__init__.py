"""SFT and GRPO with LoRA on TRL's trainers, configured by YAML and the command line."""
