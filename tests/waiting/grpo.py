"""`vlm_grpo.training.grpo`, waiting for its strike."""

from vlm_grpo.methods.grpo import command as grpo
from waiting.strike import wait_for_strikes

if __name__ == "__main__":
    wait_for_strikes()
    grpo.main()
