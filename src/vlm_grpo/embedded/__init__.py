"""The tiny checkpoints and the synthetic data set that let the whole study run offline on a CPU."""

FAMILIES = (
    "qwen2_5_vl",
    "smolvlm",
    "qwen2_5_vl_digits",
    "qwen2_5_vl_cryptogram",
    "qwen2_5_vl_grounding",
    "qwen2_5_vl_driving",
)
"""What `embedded.pretrain` makes: a family, and its task where that is not synthetic_vsr."""
