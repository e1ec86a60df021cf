"""`vlm_grpo.training.sft`, waiting for its strike."""

from vlm_grpo.training import sft
from waiting.strike import wait_for_strikes

if __name__ == "__main__":
    wait_for_strikes()
    sft.main()
