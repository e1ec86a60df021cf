from functools import partial
from pathlib import Path

import pytest
import torch

from tiny_data import tiny_rows
from vlm_grpo.adapters.checkpoint import open_checkpoint
from vlm_grpo.decoding.workspace import Workspace
from vlm_grpo.errors import UserError
from vlm_grpo.evaluation import batches
from vlm_grpo.evaluation.generate import Completion, Decoder, complete
from vlm_grpo.evaluation.sampling import RowNoise
from vlm_grpo.tasks.asking import AskedRow, render

TOKENS = 12


class Bench:
    """A tiny model ready to decode the tiny data set's rows."""

    def __init__(self, folder, data, **settings):
        self.checkpoint = open_checkpoint(str(folder))
        self.processor = self.checkpoint.load_processor()
        model = self.checkpoint.load_model(dtype=torch.float32)
        self.decoder = Decoder(
            model=model,
            processor=self.processor,
            adapter=self.checkpoint.adapter,
            **({"max_new_tokens": TOKENS} | settings),
        )
        self.asked = render(tiny_rows(12), self.processor, template="reason")
        self.encode = partial(batches.encode, adapter=self.checkpoint.adapter, processor=self.processor, root=data)

    def run(self, batch_size, *, use_cache=True):
        done = complete(
            self.asked,
            decode=partial(self.decoder, use_cache=use_cache),
            encode=self.encode,
            batch_size=batch_size,
            may_halve=False,
        )
        return [completion for batch in done for completion in batch]


@pytest.fixture(params=["tiny_qwen", "tiny_smolvlm", "tiny_internvl"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_a_row_gets_the_same_whatever_its_companions(folder, tiny_data):
    bench = Bench(folder, tiny_data)
    alone, by_five = bench.run(1), bench.run(5)
    assert alone == by_five
    assert len({c.prompt_tokens for c in alone}) > 1, "prompts of one length need no padding"
    assert [c.prompt.row.id for c in alone] == [row.id for row in tiny_rows(12)]


def test_the_cache_changes_nothing(folder, tiny_data):
    bench = Bench(folder, tiny_data)
    assert bench.run(6, use_cache=True) == bench.run(6, use_cache=False)


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0, "top_p": 0.9, "seed": 1}])
def test_the_engine_says_what_generate_does(folder, tiny_data, settings):
    ours, stock = Bench(folder, tiny_data, **settings), Bench(folder, tiny_data, by_engine=False, **settings)
    assert ours.decoder.engine is not None
    assert stock.decoder.engine is None
    assert ours.run(5) == stock.run(5)


def test_sampling_that_is_begun_again_draws_the_same(folder, tiny_data, monkeypatch, caplog):
    settings = {"temperature": 1.0, "seed": 1}
    expected = Bench(folder, tiny_data, **settings).run(6)
    steps = []

    def run_out(self, tokens):
        steps.append(len(tokens))
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(Workspace, "step", run_out)
    assert Bench(folder, tiny_data, **settings).run(6) == expected
    assert steps == [6, 6], "each batch tried once, not in halves: a row's noise is its own"
    assert caplog.messages == 2 * ["out of GPU memory while decoding: decoding goes on with transformers' generate"]


def test_sampling_depends_on_seed_and_row_alone(folder, tiny_data):
    sampled = Bench(folder, tiny_data, temperature=1.0, top_p=0.9, seed=1)
    texts = [c.text for c in sampled.run(1)]
    assert texts == [c.text for c in sampled.run(5)]
    other_seed = Bench(folder, tiny_data, temperature=1.0, top_p=0.9, seed=2)
    assert texts != [c.text for c in other_seed.run(5)]
    assert texts != [c.text for c in Bench(folder, tiny_data).run(5)]


def test_an_end_token_stops_a_row(tiny_qwen, tiny_data):
    bench = Bench(tiny_qwen, tiny_data)
    free = bench.run(12)
    assert {c.finish_reason for c in free} == {"length"}
    assert {c.completion_tokens for c in free} == {TOKENS}
    encoded = bench.encode(bench.asked[:1])
    tokens = bench.decoder.model.generate(**encoded)[0, encoded["input_ids"].shape[1] :].tolist()
    end = tokens[3]
    bench.decoder.model.generation_config.eos_token_id = [end, bench.processor.tokenizer.eos_token_id]
    stopped = bench.run(12)
    first = stopped[0]
    assert (first.finish_reason, first.completion_tokens) == ("stop", tokens.index(end) + 1)
    assert first.text == bench.processor.tokenizer.decode(tokens[: first.completion_tokens], skip_special_tokens=True)
    for before, after in zip(free, stopped, strict=True):
        assert before.text.startswith(after.text)


def test_the_checkpoints_generation_defaults_are_put_aside(tiny_qwen, tiny_data):
    plain = Bench(tiny_qwen, tiny_data)
    bench = Bench(tiny_qwen, tiny_data)
    bench.decoder.model.generation_config.repetition_penalty = 5.0
    penalised = bench.run(12)
    again = Decoder(
        model=bench.decoder.model,
        processor=bench.processor,
        adapter=bench.checkpoint.adapter,
        max_new_tokens=TOKENS,
    )
    bench.decoder = again
    assert [c.text for c in bench.run(12)] == [c.text for c in plain.run(12)]
    assert [c.text for c in penalised] != [c.text for c in plain.run(12)], "the penalty would have shown"


def test_picture_tokens_are_never_said(folder, tiny_data):
    bench = Bench(folder, tiny_data, max_new_tokens=2)
    forbidden = set(bench.checkpoint.adapter.placeholder_ids(bench.processor.tokenizer))
    assert forbidden
    head = bench.decoder.model.get_output_embeddings()
    with torch.no_grad():
        head.weight[sorted(forbidden)] *= 100
    encoded = bench.encode(bench.asked[:4])
    said = bench.decoder.model.generate(**encoded)[:, encoded["input_ids"].shape[1] :]
    assert not forbidden & set(said.flatten().tolist())


def failing_above(limit, calls):
    def decode(batch, encoded):
        calls.append(len(batch))
        if len(batch) > limit:
            raise torch.OutOfMemoryError("no room")
        assert encoded == [p.row.id for p in batch]
        return [Completion(p, "", 1, 1, "stop") for p in batch]

    return decode


def numbered(count):
    return [AskedRow(row, "") for row in tiny_rows(count)]


def ids(batch):
    return [prompt.row.id for prompt in batch]


def test_out_of_memory_halves_the_batch_and_says_so(capsys):
    calls = []
    done = list(complete(numbered(11), decode=failing_above(3, calls), encode=ids, batch_size=64, may_halve=True))
    assert calls == [11, 5, 2, 2, 2, 2, 2, 1]
    assert [c.prompt.row.id for batch in done for c in batch] == ids(numbered(11))
    assert "with a batch of 11; going on with 5" in capsys.readouterr().err


@pytest.mark.parametrize("limit, may_halve, message", [(3, False, "batch_size 8"), (0, True, "one row")])
def test_out_of_memory_for_good(limit, may_halve, message):
    with pytest.raises(UserError, match=message):
        list(complete(numbered(8), decode=failing_above(limit, []), encode=ids, batch_size=8, may_halve=may_halve))


def test_a_picture_that_rows_share_is_decoded_once(tiny_qwen, tiny_data, monkeypatch):
    opened = []
    real = batches.open_picture
    monkeypatch.setattr(batches, "open_picture", lambda root, name: opened.append(Path(name).name) or real(root, name))
    bench = Bench(tiny_qwen, tiny_data)
    bench.encode(bench.asked)
    assert sorted(opened) == ["blue.png", "green.png", "red.png", "yellow.png"]


def test_noise_samples_from_the_softmax():
    rows = [f"r{i}" for i in range(20_000)]
    logits = torch.tensor([0.0, 1.0, 2.0])
    noise = RowNoise(rows, seed=3, device=torch.device("cpu"))
    picked = noise(torch.empty(len(rows), 0), logits.repeat(len(rows), 1)).argmax(-1)
    shares = torch.bincount(picked, minlength=3) / len(rows)
    assert shares.tolist() == pytest.approx(logits.softmax(0).tolist(), abs=0.012)


def test_each_row_has_a_stream_of_its_own():
    def noise(*rows):
        stream = RowNoise(list(rows), seed=3, device=torch.device("cpu"))
        return [stream(torch.empty(len(rows), 0), torch.zeros(len(rows), 5)) for _ in range(2)]

    together, alone = noise("r1", "r2"), noise("r2")
    for step in range(2):
        assert torch.equal(together[step][1], alone[step][0])
        assert not torch.equal(together[step][0], together[step][1])
    assert not torch.equal(alone[0], alone[1])
