from vlm_grpo.evaluation.answers import extract_answer


def test_a_truth_value_is_read_by_its_rule():
    assert extract_answer("<think> so </think> <answer> True </answer>") is True
    assert extract_answer("<answer> No. </answer>") is None
    assert extract_answer("<answer> No. </answer>", "relaxed") is False
    assert extract_answer("<think> I could say <answer> True </answer> but") is None
