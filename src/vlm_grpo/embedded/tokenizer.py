"""The embedded models' tokenizer: byte-level BPE trained on pretraining's texts, each fixed phrase in one piece.

The study's instruction and the study's tags are always the same characters. The pre-tokenizer keeps each of them whole,
so BPE merges each into one token: a prompt of 30 words costs 20 tokens, and a CPU step costs half as much. Any other
text still encodes, down to bytes.
"""

import random
import re
from collections.abc import Mapping

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from vlm_grpo.embedded.lessons import Lessons

_CORPUS_ROWS = 400
_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_TAGS = r" ?</?(?:think|answer)>"


def train(
    specials: tuple[str, ...], lessons: Lessons, *, eos: str, pad: str, seed: int, names: Mapping[str, str] = {}
) -> PreTrainedTokenizerFast:
    """Train the tokenizer of `lessons`; its first ids are `specials`, among them `eos` and `pad`. A seed fixes it.

    `names` are attributes by which a processor asks for some of the specials.
    """
    tokenizer = Tokenizer(models.BPE())
    pieces = "|".join([*(re.escape(phrase).replace(r"\ ", " ") for phrase in lessons.phrases), _TAGS, _WORDS])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=lessons.vocabulary,
        special_tokens=list(specials),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(lessons, seed), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=eos,
        pad_token=pad,
        additional_special_tokens=[token for token in specials if token not in (eos, pad)],
        padding_side="left",
        model_max_length=512,
        clean_up_tokenization_spaces=False,
        **names,
    )


def _corpus(lessons: Lessons, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = [lessons.words]
    for _ in range(_CORPUS_ROWS):
        for draw in lessons.exercises:
            exercise = draw(rng)
            texts += [exercise.question, exercise.target, " " + exercise.target]
    return texts
