"""The settings of a command that decide how large a picture reaches the model, the same for training and evaluation."""

from dataclasses import asdict, dataclass, field, fields


@dataclass(kw_only=True)
class ImageOptions:
    """Options of both families; one that has no effect on the model's family is refused when it is loaded."""

    min_pixels: int | None = field(default=None, metadata={"help": "Qwen: smallest picture, in pixels."})
    max_pixels: int | None = field(default=None, metadata={"help": "Qwen: largest picture, in pixels."})
    longest_edge: int | None = field(default=None, metadata={"help": "SmolVLM: longest side before tiling, in pixels."})
    image_splitting: bool | None = field(default=None, metadata={"help": "SmolVLM: cut pictures into tiles."})

    @property
    def image_options(self) -> dict[str, int | bool | None]:
        """The options by name, for `Checkpoint.load_processor`."""
        settings = asdict(self)
        return {option.name: settings[option.name] for option in fields(ImageOptions)}
