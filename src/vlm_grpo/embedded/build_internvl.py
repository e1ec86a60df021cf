"""An InternVL (InternVL3's architecture) of 1.3 million parameters with random weights, and its processor.

The architecture is the real one, a Qwen2 behind a ViT whose patches are shuffled; only the sizes are small. A tile of
112 x 112 pixels becomes 64 patches, shuffled into 16 image tokens, one for each cell of a scene. No
checkpoint of it is shipped: tests and benchmarks take it with its random weights.
"""

import numpy as np
import torch
from transformers import GotOcr2ImageProcessorPil, InternVLConfig, InternVLForConditionalGeneration

from vlm_grpo.embedded import tokenizer as tokenizers
from vlm_grpo.embedded.batches import Collator
from vlm_grpo.embedded.family import FamilyBuild
from vlm_grpo.embedded.lessons import Lessons
from vlm_grpo.embedded.scenes import GRID, SIZE

IMAGE, START, END, VIDEO = "<IMG_CONTEXT>", "<img>", "</img>", "<video>"
EOS, PAD = "<|im_end|>", "<|endoftext|>"
SPECIALS = (PAD, "<|im_start|>", EOS, START, END, IMAGE, VIDEO)
NAMES = {
    "start_image_token": START,
    "end_image_token": END,
    "context_image_token": IMAGE,
    "video_token": VIDEO,
}
"""What the processor calls the tokens around and for a picture."""
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PATCH, SHUFFLE = 14, 2
WIDTH, LAYERS, HEADS = 128, 4, 4
INITIALIZER_RANGE = 0.08
"""With the usual 0.02, or with embeddings tied to the head, learning to see stalls for thousands of steps."""
ROPE_THETA = 1e6
"""Slow rotations: text finds an image token by its content, however many tokens lie between."""


def build(lessons: Lessons, *, seed: int) -> FamilyBuild:
    """Tokenizer, processors and a randomly initialised model; the same seed gives the same weights."""
    tokenizer = tokenizers.train(SPECIALS, lessons, eos=EOS, pad=PAD, seed=seed, names=NAMES)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    image_processor = GotOcr2ImageProcessorPil(
        size={"height": SIZE, "width": SIZE},
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
        max_patches=4,
    )
    config = InternVLConfig(
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": INITIALIZER_RANGE,
            "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
            "tie_word_embeddings": False,
            "bos_token_id": None,
            "eos_token_id": ids[EOS],
            "pad_token_id": ids[PAD],
        },
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": HEADS,
            "attention_bias": True,
            "image_size": [SIZE, SIZE],
            "patch_size": [PATCH, PATCH],
            "initializer_range": INITIALIZER_RANGE,
        },
        image_token_id=ids[IMAGE],
        image_seq_length=GRID**2,
        downsample_ratio=1 / SHUFFLE,
        tie_word_embeddings=False,
        pad_token_id=ids[PAD],
        eos_token_id=ids[EOS],
        bos_token_id=None,
    )
    torch.manual_seed(seed)
    model = InternVLForConditionalGeneration(config)
    mean = np.asarray(image_processor.image_mean, dtype=np.float32)
    std = np.asarray(image_processor.image_std, dtype=np.float32)

    def pixel_inputs(pictures: np.ndarray) -> dict[str, torch.Tensor]:
        scaled = (pictures.astype(np.float32) / 255 - mean) / std
        return {"pixel_values": torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy())}

    collator = Collator(
        tokenizer=tokenizer,
        before=f"<|im_start|>user\n{START}{IMAGE * GRID**2}{END}\n",
        after=f"{EOS}\n<|im_start|>assistant\n",
        end=EOS,
        answer_prefix="",
        image_token_id=ids[IMAGE],
        picture=lessons.picture,
        pixel_inputs=pixel_inputs,
        token_types=False,
    )
    return FamilyBuild(
        family="internvl",
        model=model,
        tokenizer=tokenizer,
        image_processor=image_processor,
        processor_class="InternVLProcessor",
        processor_settings={"image_seq_length": GRID**2},
        chat_template=CHAT_TEMPLATE,
        collator=collator,
    )
