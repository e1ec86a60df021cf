"""Several processes: `python -m vlm_grpo.training.launch ACCELERATE_CONFIG MODULE [ARGUMENT ...]`.

`accelerate launch`, with two differences that stopping on a signal needs. SIGUSR1 and SIGTERM reach the training
processes and leave the launcher alive to wait for them (torch's elastic agent would die of the first and kill the
processes at the second). And an exit code that the processes agree on, such as 85 for "stopped after saving", becomes
the launcher's own instead of 1. Further options of `accelerate launch`, such as `--machine_rank`, come before the
config: `python -m vlm_grpo.training.launch --num_machines 2 --machine_rank 1 configs/accelerate/zero2.yaml MODULE`.
"""

import contextlib
import signal
import sys
from pathlib import Path
from types import FrameType

import psutil
from accelerate.commands.launch import launch_command, launch_command_parser
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from vlm_grpo.errors import UserError, exits_cleanly
from vlm_grpo.methods.resume.stopping import SIGNALS
from vlm_grpo.paths import expand_word

AGENT_SIGNALS = "SIGINT,SIGHUP,SIGQUIT"
"""What torch's elastic agent still reacts to: all it would by itself, but SIGTERM."""


@exits_cleanly
def main(argv: list[str] | None = None) -> None:
    """Launch the processes, pass signals on, leave with their exit code."""
    words = [expand_word(word) for word in (sys.argv[1:] if argv is None else argv)]
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return
    config = next((i for i, word in enumerate(words) if word.endswith((".yaml", ".yml", ".json"))), None)
    if config is None or config + 1 == len(words):
        raise UserError("give an accelerate config and a module: python -m vlm_grpo.training.launch CONFIG.yaml MODULE")
    if not Path(words[config]).is_file():
        raise UserError(f"{words[config]} is missing; see configs/accelerate/")
    options, module = words[:config], words[config + 1 :]
    arguments = launch_command_parser().parse_args(
        [*options, "--config_file", words[config], "--module", *module],
    )
    arguments.signals_to_handle = AGENT_SIGNALS
    for number in SIGNALS:
        signal.signal(number, _pass_on)
    try:
        launch_command(arguments)
    except ChildFailedError as failed:
        # The agent ends the other processes with SIGTERM once one has left.
        codes = {failure.exitcode for failure in failed.failures.values()} - {-signal.SIGTERM}
        raise SystemExit(codes.pop() if len(codes) == 1 else 1) from None


def _pass_on(number: int, frame: FrameType | None) -> None:
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            child.send_signal(number)
