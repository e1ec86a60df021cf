"""`vlm_grpo.training.sft`, waiting for its strike."""

from vlm_grpo.methods.sft import command as sft
from waiting.strike import wait_for_strikes

if __name__ == "__main__":
    wait_for_strikes()
    sft.main()
