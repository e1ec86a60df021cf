"""What TRL asks of vLLM, done by a copy of the policy in this process.

It reads prompts as vLLM does: colocated, each picture's first free placeholder becomes all that the processor writes
for the picture, whether the ids were expanded before or not; as a server, ids are taken as they are.
"""

import copy
from types import SimpleNamespace
from typing import Any

import torch

NOISE = 1e-3


class StandInVLLM:
    """TRL's `VLLMGeneration`; `follows` says whether it takes the trained weights, `processor` prepares its pictures.

    Set it as `trl.trainer.grpo_trainer.VLLMGeneration` with those two filled in. All prompts of a call must be equal.
    """

    def __init__(self, *, follows: bool = True, processor: Any = None, **trl: Any) -> None:
        self.model, self.mode, self.temperature = trl["model"], trl["mode"], trl["temperature"]
        self.max_completion_length = trl["max_completion_length"]
        self.processing_class = trl["processing_class"]
        self.asked_tokens: list[int] = []
        self._processor = processor or self.processing_class
        self._follows = follows
        self._served = copy.deepcopy(self.model)
        for module in self._served.modules():
            vars(module).pop("forward", None)  # accelerate's, bound to the model that is trained

    @property
    def vllm_client(self) -> Any:
        info = {"model_config": {"logprobs_mode": "processed_logprobs"}}
        return SimpleNamespace(get_server_info=lambda: info)

    def sync_weights(self) -> None:
        if self._follows:
            self._served.load_state_dict(self.model.state_dict())

    def generate(self, *, prompts: Any, images: Any, num_generations: int, profiler: Any) -> Any:
        self.asked_tokens.append(self.max_completion_length)
        pictures = images[0] if images else []
        if self.mode == "server":
            self._place_features(self._features(pictures), prompts[0])
            read = prompts[0]
        else:
            read = self._expand(prompts[0], pictures)
        ids, logps = self._answer(read, pictures, times=len(prompts))
        return [read] * len(prompts), ids, [[[logp] for logp in row] for row in logps], None

    def _place_features(self, features: Any, ids: list[int]) -> Any:
        return features

    def _features(self, pictures: list[Any]) -> dict[str, Any]:
        return {"mm_placeholders": {"image": [{"offset": 0, "length": len(self._written(p))} for p in pictures]}}

    def _written(self, picture: Any) -> list[int]:
        text = self._processor.image_token
        return list(self._processor(text=[text], images=[[picture]], add_special_tokens=False)["input_ids"][0])

    def _expand(self, ids: list[int], pictures: list[Any]) -> list[int]:
        waiting = [self._written(picture) for picture in pictures]
        read: list[int] = []
        for token in ids:
            read += waiting.pop(0) if token == self._processor.image_token_id and waiting else [token]
        return read

    def _answer(self, read: list[int], pictures: list[Any], *, times: int) -> tuple[list[list[int]], list[list[float]]]:
        token, end = self._processor.image_token_id, self._processor.tokenizer.eos_token_id
        features = {}
        if pictures:
            text = self._processor.image_token * len(pictures)
            features = dict(self._processor(text=[text], images=[pictures], return_tensors="pt"))
            if features["input_ids"].eq(token).sum() != read.count(token):
                return [[end]] * times, [[0.0]] * times  # vLLM would answer what nobody asked
            features = {
                k: v for k, v in features.items() if k in ("pixel_values", "image_grid_thw", "pixel_attention_mask")
            }
        batch = torch.tensor([read])
        if "image_grid_thw" in features:
            features["mm_token_type_ids"] = batch.eq(token).long()
        generated = self._served.generate(
            input_ids=batch,
            attention_mask=torch.ones_like(batch),
            **features,
            num_return_sequences=times,
            do_sample=True,
            temperature=self.temperature,
            top_k=0,
            suppress_tokens=[token],
            max_new_tokens=self.max_completion_length,
            pad_token_id=self._processor.tokenizer.pad_token_id,
            eos_token_id=end,
            return_dict_in_generate=True,
            output_scores=True,
        )
        completions = generated.sequences[:, len(read) :]
        logps = torch.stack(generated.scores, dim=1).log_softmax(-1).gather(2, completions[..., None])[..., 0]
        logps += NOISE * torch.randn_like(logps)
        lengths = [(row == end).nonzero()[0].item() + 1 if end in row else len(row) for row in completions]
        return (
            [row[:length].tolist() for row, length in zip(completions, lengths, strict=True)],
            [row[:length].tolist() for row, length in zip(logps, lengths, strict=True)],
        )
