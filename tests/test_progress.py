import pytest

from vlm_grpo.progress import progress


def test_a_log_file_gets_the_last_line_and_few_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(1000), total=1000, label="rows", seconds=3600)) == list(range(1000))
    assert capsys.readouterr().err.startswith("rows: 1000/1000, ")
    assert list(progress(range(5), total=5, label="rows", seconds=0)) == list(range(5))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"rows: {i}/5" for i in range(1, 6)]
    assert list(progress([], total=0, label="rows")) == []
