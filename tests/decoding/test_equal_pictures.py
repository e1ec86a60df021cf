"""Rows that show the same pictures: compared one by one on a CPU, at one look elsewhere, with the same answers."""

import pytest
import torch

from vlm_grpo.decoding import pictures
from vlm_grpo.decoding.pictures import by_row, equal_at_one_look
from vlm_grpo.decoding.prompts import distinct_prompts

A, B = torch.arange(12.0).view(4, 3), torch.arange(12.0).view(4, 3) + 1
ALMOST_A = A.clone()
ALMOST_A[3, 2] += 1e-6


def test_pairs_are_equal_only_value_for_value():
    pairs = [(A, A.clone()), (A, B), (A, ALMOST_A), (A, A[:2]), (A[:0], A[:0]), (A, A.view(3, 4))]
    assert equal_at_one_look(pairs) == [torch.equal(one, other) for one, other in pairs]


@pytest.mark.parametrize("equal", [pictures.equal, equal_at_one_look])
def test_rows_are_grouped_by_what_they_show(equal, monkeypatch):
    """Of one text, rows 0 and 3 show A, 1 and 4 show B, 2 and 5 A twice."""
    monkeypatch.setattr(pictures, "equal", equal)
    shown = [[A], [B], [A, A], [A.clone()], [B.clone()], [A, A]]
    flat = [picture for row in shown for picture in row]
    fields = {"pixel_values": torch.cat(flat), "image_grid_thw": torch.tensor([[1, 2, 2]] * len(flat))}
    rows = by_row(fields, [len(row) for row in shown])
    distinct = distinct_prompts([[7, 8]] * len(shown), rows.are_equal)
    assert distinct.first == [0, 1, 2]
    assert distinct.of_row == [0, 1, 2, 0, 1, 2]
