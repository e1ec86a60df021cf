"""The tiny checkpoints and the synthetic data set that let the whole study run offline on a CPU."""

FAMILIES = ("qwen2_5_vl", "smolvlm")
"""The checkpoints that `embedded.pretrain` makes; configs name them `embedded:<family>`."""
