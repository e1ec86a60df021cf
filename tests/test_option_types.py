import pytest

from vlm_grpo.errors import UserError
from vlm_grpo.option_types import seed, share, whole


@pytest.mark.parametrize(
    "read, text, value",
    [
        (whole("--n"), "0", 0),
        (whole("--n", least=-2, most=3), "-2", -2),
        (seed("--n"), "4294967295", 2**32 - 1),
        (share("--n"), "1e-3", 0.001),
        (share("--n"), "1", 1.0),
    ],
)
def test_what_is_in_range_is_read(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    "read, text",
    [
        (whole("--n"), "-1"),
        (whole("--n", least=1), "0"),
        (whole("--n", most=3), "4"),
        (whole("--n"), "1.0"),
        (whole("--n"), ""),
        (whole("--n"), "9" * 5000),
        (seed("--n"), "-1"),
        (seed("--n"), "4294967296"),
        (share("--n"), "2"),
        (share("--n"), "-0.1"),
        (share("--n"), "nan"),
        (share("--n"), "inf"),
        (share("--n"), "half"),
    ],
)
def test_what_is_not_is_one_line_naming_the_option(read, text):
    with pytest.raises(UserError, match=r"--n .*; give a"):
        read(text)
