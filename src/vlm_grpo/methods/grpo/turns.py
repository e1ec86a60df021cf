"""GRPO in several turns: an environment answers the model within its completion.

TRL's `rollout_func` is where turns are made: it takes their tokens and the mask that keeps the environment's out of the
loss. What it cannot do is added around it, in `_generate`: the completion's turns one by one, which rewards read, and
the pictures that were shown in between, of which the forward pass of a `rollout_func` learns nothing. They go the way
of a tool's pictures, which TRL takes only where the trainer has tools. Left out: any model whose pictures are not one
entry each (SmolVLM's), which that way lays out wrongly; `environments/registry.py` says who talks how.

Native tool calls are TRL's whole (`environment_factory`); of its turns only the texts are read anew here, since its
parser takes the thoughts out of them (docs/environments.md).
"""

from itertools import groupby
from typing import Any

import torch
from typing_extensions import override

from vlm_grpo.decoding.pictures import by_row
from vlm_grpo.environments.base import Environment, Protocol
from vlm_grpo.environments.conversation import Conversation, answered, without_controls
from vlm_grpo.methods.fast.trainer import FastGRPOTrainer


class TurnsGRPOTrainer(FastGRPOTrainer):
    """`FastGRPOTrainer` whose completions an `environment` answers, over that `protocol`; None: one turn each."""

    def __init__(self, *, environment: Environment | None = None, protocol: Protocol = "text", **trl: Any) -> None:
        self._environment = environment
        self._is_native = environment is not None and protocol == "native"
        self._played: list[Conversation] = []
        super().__init__(**trl, environment_factory=environment.tools if environment and self._is_native else None)
        if environment is not None and not self._is_native:
            self.rollout_func = self._converse

    @override
    def _lengthened(self) -> str | None:
        if self._environment is not None and self._environment.adds_pictures:
            return f"the environment {self._environment.name} shows pictures within completions"
        return super()._lengthened()

    @override
    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if self._environment is not None and not self._is_native:
            self.tools: list[Any] = []
            self._played = []
        return output

    @override
    def _generate(self, prompts: list[Any]) -> Any:
        """As in TRL, with the turns of each completion and the pictures that the environment showed in them."""
        generated = super()._generate(prompts)
        if self._environment is None:
            return generated
        prompt_ids, ids, mask, turns, logprobs, extra, images, tool_images = generated
        if self._is_native:
            return prompt_ids, ids, mask, self._with_thoughts(turns, ids, mask), logprobs, extra, images, tool_images
        added = [played.added for played in self._played]
        if any(added):
            self.tools = [self._environment.respond]
            images = [played.asked + played.added for played in self._played]
        self._count()
        return prompt_ids, ids, mask, [played.turns for played in self._played], logprobs, extra, images, added

    def _converse(self, prompts: list[Any], _: Any) -> dict[str, Any]:
        """The `rollout_func`: turn by turn until each conversation is over."""
        assert self._environment is not None
        prompt_ids, images, fields = self._tokenize_prompts(prompts)
        generations = self.num_generations if self.model.training else self.num_generations_eval
        ids, logprobs = self._generate_single_turn(prompt_ids, images, fields, generations)
        self._played = [
            Conversation(prompt, list(of_prompt)) for prompt, of_prompt in zip(prompts, prompt_ids, strict=True)
        ]
        self._append(self._played, ids, logprobs)
        going = self._answered(self._played, has_logprobs=logprobs is not None)
        while going:
            ids, logprobs = self._continue(going)
            self._append(going, ids, logprobs)
            going = self._answered(going, has_logprobs=logprobs is not None)
        return {
            "prompt_ids": prompt_ids,
            "completion_ids": [played.ids for played in self._played],
            "logprobs": None if logprobs is None else [played.logprobs for played in self._played],
            "env_mask": [played.mask for played in self._played],
        }

    def _append(self, going: list[Conversation], ids: list[list[int]], logprobs: list[list[float]] | None) -> None:
        """The model's turns of `ids`, cut where the completion is full."""
        for row, played in enumerate(going):
            kept = ids[row][: self.max_completion_length - len(played.ids)]
            played.model_says(kept, self._text(kept), None if logprobs is None else logprobs[row][: len(kept)])

    def _answered(self, going: list[Conversation], *, has_logprobs: bool) -> list[Conversation]:
        """Those that the environment answers, answered, where the model then has room for at least one token."""
        assert self._environment is not None
        return answered(
            going,
            self._environment,
            self.processing_class,
            ends=self.eos_token_ids,
            longest=self.max_completion_length,
            most_calls=self.max_tool_calling_iterations,
            has_logprobs=has_logprobs,
        )

    def _continue(self, going: list[Conversation]) -> tuple[list[list[int]], list[list[float]] | None]:
        """The model's next turns, each row read as it stands: its own tokens, its own pictures."""
        _, images, fields = self._tokenize_prompts([played.shown for played in going])
        read = [played.prompt_ids + played.ids for played in going]
        if "mm_token_type_ids" in fields:
            placeholder = self._inner_model().config.image_token_id
            fields = {**fields, "mm_token_type_ids": [[int(i == placeholder) for i in ids] for ids in read]}
        sampled: tuple[list[list[int]], list[list[float]] | None]
        sampled = self._generate_single_turn(read, images, fields, 1)
        return sampled

    def _count(self) -> None:
        """Log turns, conversations cut short, and what became of tool calls, over all processes."""
        assert self._environment is not None
        played = self._played
        local = torch.tensor(
            [
                len(played),
                sum(len(p.said) for p in played),
                sum(p.is_cut for p in played),
                sum(p.calls for p in played),
                sum(p.errors for p in played),
            ],
            device=self.accelerator.device,
        )
        rows, turns, cut, calls, errors = self.accelerator.gather(local).view(-1, len(local)).sum(0).tolist()
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["environment/turns"].append(turns / rows)
        metrics["environment/cut"].append(cut / rows)
        if self._environment.has_tools:
            metrics["tools/call_frequency"].append(calls / rows)
            metrics["tools/failure_frequency"].append(errors / calls if calls else 0.0)

    @override
    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        """As in TRL, whose picture fields are lists beside an `environment_factory`; its tool loop cuts tensors."""
        ids, images, fields = super()._tokenize_prompts(prompts)
        return ids, images, {**fields, **by_row(fields, None).fields} if self._is_native else fields

    @override
    def _get_tool_suffix_ids(self, tool_messages: list[dict[str, Any]]) -> list[int]:
        """As in TRL, with control tokens spelt out in what a tool says: TRL's errors repeat the model's own words."""
        tokenizer = self.processing_class.tokenizer
        ids: list[int] = super()._get_tool_suffix_ids([without_controls(turn, tokenizer) for turn in tool_messages])
        return ids

    def _with_thoughts(self, turns: list[Any], ids: list[list[int]], mask: list[list[int]]) -> list[Any]:
        """`turns` with all that the model wrote: each turn of its own is a run of tokens that `mask` has as 1."""
        whole = []
        for of_row, tokens, is_own in zip(turns, ids, mask, strict=True):
            runs = [list(run) for own, run in groupby(range(len(tokens)), key=is_own.__getitem__) if own]
            texts = iter(self._text([tokens[at] for at in run]) for run in runs)
            whole.append([{**turn, "content": next(texts)} if turn["role"] == "assistant" else turn for turn in of_row])
        return whole

    def _text(self, ids: list[int]) -> str:
        text: str = self.processing_class.tokenizer.decode(ids, skip_special_tokens=True)
        return text
