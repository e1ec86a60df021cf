"""A Qwen2.5-VL of 1.4 million parameters with random weights, and the processor that goes with it.

The architecture is the real one, with its dynamic resolution and its rotary positions in three parts; only the sizes
are small. A picture of 112 x 112 pixels becomes 64 patches, merged into 16 image tokens, one for each cell of a scene.
"""

import numpy as np
import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLImageProcessorPil

from vlm_grpo.embedded import tokenizer as tokenizers
from vlm_grpo.embedded.batches import Collator
from vlm_grpo.embedded.family import FamilyBuild
from vlm_grpo.embedded.lessons import Lessons
from vlm_grpo.embedded.scenes import GRID, SIZE

IMAGE, VIDEO, START, END = "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"
EOS, PAD = "<|im_end|>", "<|endoftext|>"
SPECIALS = (PAD, "<|im_start|>", EOS, START, END, IMAGE, VIDEO)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PATCH, MERGE, FRAMES = 14, 2, 2
WIDTH, LAYERS, HEADS = 128, 4, 4
INITIALIZER_RANGE = 0.08
"""With the usual 0.02, or with embeddings tied to the head, learning to see stalls for thousands of steps."""


def build(lessons: Lessons, *, seed: int, family: str = "qwen2_5_vl", vision_layers: int = 1) -> FamilyBuild:
    """Tokenizer, processors and a randomly initialised model; the same seed gives the same weights."""
    tokenizer = tokenizers.train(SPECIALS, lessons, eos=EOS, pad=PAD, seed=seed)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    image_processor = Qwen2VLImageProcessorPil(
        min_pixels=(PATCH * MERGE) ** 2,
        max_pixels=SIZE**2,
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=FRAMES,
    )
    rotary_pairs = WIDTH // HEADS // 2
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": INITIALIZER_RANGE,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [rotary_pairs // 4, rotary_pairs * 3 // 8, rotary_pairs * 3 // 8],
            },
            "tie_word_embeddings": False,
            "bos_token_id": None,
            "eos_token_id": ids[EOS],
            "pad_token_id": ids[PAD],
        },
        vision_config={
            "depth": vision_layers,
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_heads": HEADS,
            "out_hidden_size": WIDTH,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": FRAMES,
            "fullatt_block_indexes": list(range(vision_layers)),
            "window_size": SIZE,
            "initializer_range": INITIALIZER_RANGE,
        },
        image_token_id=ids[IMAGE],
        video_token_id=ids[VIDEO],
        vision_start_token_id=ids[START],
        vision_end_token_id=ids[END],
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=ids[EOS],
        pad_token_id=ids[PAD],
    )
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    mean = np.asarray(image_processor.image_mean, dtype=np.float32)
    std = np.asarray(image_processor.image_std, dtype=np.float32)

    def pixel_inputs(pictures: np.ndarray) -> dict[str, torch.Tensor]:
        scaled = (pictures.astype(np.float32) / 255 - mean) / std
        side = SIZE // (PATCH * MERGE)
        blocks = scaled.reshape(len(pictures), side, MERGE, PATCH, side, MERGE, PATCH, 3)
        blocks = blocks.transpose(0, 1, 4, 2, 5, 7, 3, 6)[:, :, :, :, :, :, None]
        blocks = np.broadcast_to(blocks, (*blocks.shape[:6], FRAMES, PATCH, PATCH))
        grid = torch.tensor([[1, side * MERGE, side * MERGE]]).repeat(len(pictures), 1)
        return {
            "pixel_values": torch.from_numpy(blocks.reshape(len(pictures) * (side * MERGE) ** 2, -1).copy()),
            "image_grid_thw": grid,
        }

    collator = Collator(
        tokenizer=tokenizer,
        before=f"<|im_start|>user\n{START}{IMAGE * GRID**2}{END}",
        after=f"{EOS}\n<|im_start|>assistant\n",
        end=EOS,
        answer_prefix="",
        image_token_id=ids[IMAGE],
        picture=lessons.picture,
        pixel_inputs=pixel_inputs,
        token_types=True,
    )
    return FamilyBuild(
        family=family,
        model=model,
        tokenizer=tokenizer,
        image_processor=image_processor,
        processor_class="Qwen2_5_VLProcessor",
        processor_settings={},
        chat_template=CHAT_TEMPLATE,
        collator=collator,
    )
