"""Text files that somebody else wrote: UTF-8, with or without a byte order mark; another encoding is one clear line.

Nothing is guessed. What Windows calls Unicode (UTF-16) and Latin-1 could be told apart only by what the text means.
"""

import codecs
from pathlib import Path

from vlm_grpo.errors import UserError

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins as UTF-16's does, so it is tried first
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_bytes(path: Path) -> bytes:
    """The content of the file `path`; `UserError` when there is none, or it starts like UTF-16 or UTF-32."""
    if not path.exists():
        raise UserError(f"{path} is missing; check the path")
    if not path.is_file():
        raise UserError(f"{path} is no file; give the file itself")
    content = path.read_bytes()
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            raise UserError(f"{path} is encoded in {encoding}; save it as UTF-8 (iconv -f {encoding} -t UTF-8)")
    return content


def decode(line: bytes, *, where: str) -> str:
    """The text of one line or a whole file, a byte order mark left out; `where` opens the error."""
    if b"\0" in line:
        raise UserError(f"{where}: holds NUL bytes, as UTF-16 does and text does not; save the file as UTF-8")
    try:
        return line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise UserError(
            f"{where}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8, from Latin-1 for example by "
            "iconv -f LATIN1 -t UTF-8"
        ) from None


def read_lines(path: Path) -> list[str]:
    """The lines of `path` without their ends (\\n or \\r\\n); a last line counts with its end and without."""
    lines = read_bytes(path).split(b"\n")
    if not lines[-1]:
        del lines[-1]
    return [decode(line.removesuffix(b"\r"), where=f"{path} line {n}") for n, line in enumerate(lines, start=1)]


def read_text(path: Path) -> str:
    """The text of `path` as it is, a byte order mark left out; `UserError` naming the line that is not UTF-8."""
    parts = read_bytes(path).split(b"\n")
    return "\n".join(decode(part, where=f"{path} line {number}") for number, part in enumerate(parts, start=1))
