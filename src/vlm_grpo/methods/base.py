"""What a study must know of a method; its trainer is a command of its own.

A new method is a command (`python -m MODULE --config FILE --model START --data DATA --seed N --output_dir RUN`) whose
run folder holds the trained adapter in `final/` and a manifest, and one line in `registry.py`. Needs no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One way to train a model.

    Attributes:
        name: as in a study's `method: NAME`; also the kind that the run's manifest states.
        module: the command that trains.
        merges: whether the adapter folds into its base, so that a checkpoint comes of it; one that does not is put on
            its base by every command that asks it.
        rewarded: whether the run logs a reward for each step, of which there is a curve.
        state_files: patterns of the files that only this method's checkpoints hold beside the weights.
        watched: the logged metrics that its progress line shows, each with its label there, in that order; `*` in both
            stands for any one part.
    """

    name: str
    module: str
    merges: bool = True
    rewarded: bool = False
    state_files: tuple[str, ...] = ()
    watched: Mapping[str, str] = field(default_factory=dict)
