"""vlm-grpo: does GRPO make a vision-language model reason better, and is the reasoning honest?"""

__version__ = "0.1.0"
