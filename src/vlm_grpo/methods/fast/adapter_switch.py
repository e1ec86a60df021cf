"""The reference without LoRA, for the price of a flag a layer.

PEFT's `disable_adapter` describes every layer in words to learn whether it is on, and walks the model again to switch
each off and on: 60 ms a step at 36 layers of seven. `switch_by_flag` sets the flag that the layers read. PEFT freezes
their weights meanwhile; a layer that is off does not use them.

Left out: layers other than plain LoRA's, and LoRA that trains biases or whole modules; these keep PEFT's way.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from peft import LoraConfig, PeftModel
from peft.tuners.lora.layer import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper


def switch_by_flag(model: PeftModel) -> None:
    """Make `model.disable_adapter` switch the layers that `model` has now by their flag, where all are plain LoRA's."""
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper)]
    plain = all(isinstance(config, LoraConfig) and config.bias == "none" for config in model.peft_config.values())
    if not plain or any(type(layer) is not LoraLinear for layer in layers):
        return

    @contextmanager
    def disable_adapter() -> Iterator[None]:
        on = [layer for layer in layers if not layer.disable_adapters]
        was_disabled, model._adapters_disabled = model._adapters_disabled, True
        for layer in on:
            layer._disable_adapters = True
        try:
            yield
        finally:
            model._adapters_disabled = was_disabled
            for layer in on:
                layer._disable_adapters = False

    model.disable_adapter = disable_adapter
