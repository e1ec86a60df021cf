"""An Idefics3 (the architecture of SmolVLM) of 1.2 million parameters with random weights, and its processor.

The architecture is the real one; only the sizes are small and pictures are not split into tiles. A picture of 112 x 112
pixels becomes 64 patches, shuffled into 16 image tokens, one for each cell of a scene.
"""

import numpy as np
import torch
from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3ImageProcessorPil

from vlm_grpo.embedded import tokenizer as tokenizers
from vlm_grpo.embedded.batches import Collator
from vlm_grpo.embedded.family import FamilyBuild
from vlm_grpo.embedded.lessons import Lessons
from vlm_grpo.embedded.scenes import GRID, SIZE

IMAGE, AROUND, GLOBAL = "<image>", "<fake_token_around_image>", "<global-img>"
EOS, PAD = "<end_of_utterance>", "<|endoftext|>"
SPECIALS = (PAD, "<|im_start|>", EOS, AROUND, IMAGE, GLOBAL)
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message.role | capitalize }}:"
    "{% if message.content is string %} {{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>"
    "{% elif part.type == 'text' %}{% if loop.first %} {% endif %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)

PATCH, SHUFFLE = 14, 2
WIDTH, LAYERS, HEADS = 128, 4, 4
INITIALIZER_RANGE = 0.08
"""With the usual 0.02, or with embeddings tied to the head, learning to see stalls for thousands of steps."""
ROPE_THETA = 1e6
"""Slow rotations: text finds an image token by its content, however many tokens lie between."""


def build(lessons: Lessons, *, seed: int) -> FamilyBuild:
    """Tokenizer, processors and a randomly initialised model; the same seed gives the same weights."""
    tokenizer = tokenizers.train(SPECIALS, lessons, eos=EOS, pad=PAD, seed=seed)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    image_processor = Idefics3ImageProcessorPil(
        size={"longest_edge": SIZE}, max_image_size={"longest_edge": SIZE}, do_image_splitting=False
    )
    config = Idefics3Config(
        text_config={
            "model_type": "llama",
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
            "image_size": SIZE,
            "patch_size": PATCH,
            "initializer_range": INITIALIZER_RANGE,
        },
        scale_factor=SHUFFLE,
        image_token_id=ids[IMAGE],
        tie_word_embeddings=False,
        pad_token_id=ids[PAD],
        eos_token_id=ids[EOS],
        bos_token_id=None,
    )
    torch.manual_seed(seed)
    model = Idefics3ForConditionalGeneration(config)
    mean = np.asarray(image_processor.image_mean, dtype=np.float32)
    std = np.asarray(image_processor.image_std, dtype=np.float32)

    def pixel_inputs(pictures: np.ndarray) -> dict[str, torch.Tensor]:
        scaled = (pictures.astype(np.float32) / 255 - mean) / std
        return {
            "pixel_values": torch.from_numpy(scaled.transpose(0, 3, 1, 2)[:, None].copy()),
            "pixel_attention_mask": torch.ones(len(pictures), 1, SIZE, SIZE, dtype=torch.long),
        }

    collator = Collator(
        tokenizer=tokenizer,
        before=f"<|im_start|>User:{AROUND}{GLOBAL}{IMAGE * GRID**2}{AROUND}",
        after=f"{EOS}\nAssistant:",
        end=EOS,
        answer_prefix=" ",
        image_token_id=ids[IMAGE],
        picture=lessons.picture,
        pixel_inputs=pixel_inputs,
        token_types=False,
    )
    return FamilyBuild(
        family="smolvlm",
        model=model,
        tokenizer=tokenizer,
        image_processor=image_processor,
        processor_class="Idefics3Processor",
        processor_settings={"image_seq_len": GRID**2},
        chat_template=CHAT_TEMPLATE,
        collator=collator,
    )
