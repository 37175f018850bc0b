"""The YAML parser's complaints in a user's words: what stands there, and what would have been right."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

# Enough to recognise what was written, short enough for one line of a message.
MAX_SHOWN = 60
_OPENING = "opened in line {line}"

# Part of the parser's complaint, and what it means. {line} is where the unfinished construct begins.
_EXPECTATIONS = (
    ("expected ',' or ']'", f"',' or ']' in the list {_OPENING}"),
    ("expected ',' or '}'", f"',' or '}}}}' in the mapping {_OPENING}"),
    ("mapping values are not allowed", "one field to a line, indented as its neighbours; text with ': ' in quotes"),
    ("expected <block end>", "the same indentation as the fields or entries before it, from line {line} on"),
    ("block sequence entries are not allowed", "a list that begins on a line of its own"),
    ("sequence entries are not allowed", "a list that begins on a line of its own"),
    ("expected ':'", "field: value"),
    ("expected the node content", "a value"),
    ("unknown escape character", "an escape that YAML knows; in single quotes a backslash is just a backslash"),
    ("escape sequence of", "the digits of that escape; in single quotes a backslash is just a backslash"),
    ("alphabetic or numeric character", "a name after & or *; other text that begins so in quotes"),
    ("expected '<document start>'", "one mapping in each document, and --- on a line between two documents"),
    ("duplicate anchor", "each anchor once"),
)


def shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def quoted(text: str) -> str:
    """In quotes, on one line, shortened."""
    return shortened(repr(text[: MAX_SHOWN * 2]))


def explain(error: MarkedYAMLError | ReaderError, text: str, firstLine: int) -> tuple[int, tuple[()], str, str]:
    """The index in `text` to point at, no path, what was found there, and what was expected."""
    if isinstance(error, ReaderError):
        return (error.position, (), *_character(text[error.position : error.position + 1]))
    problem = error.problem or ""
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark is not None else 0
    opening = error.context_mark.index if error.context_mark is not None else index
    openingLine = firstLine + text.count("\n", 0, opening)
    if "found unexpected end of stream" in problem:
        # The end of the document tells nothing; what was left open does.
        return opening, (), f"a quote that is never closed: {_rest(text, opening)}", "a closing quote"
    if "cannot start any token" in problem:
        return index, (), *_token(text[index : index + 1])
    atEnd = not text[index:].strip()
    if atEnd and opening < index:
        index, found = opening, f"what is never finished: {_rest(text, opening)}"
    elif atEnd:
        index, found = len(text.rstrip()), "the end of the document"
    else:
        # Of a field without its colon the parser knows only when it meets the next one.
        index = opening if "expected ':'" in problem else index
        found = _rest(text, index)
    for part, expected in _EXPECTATIONS:
        if part in problem:
            return index, (), found, expected.format(line=openingLine)
    return index, (), found, f"valid YAML (the parser says: {shortened(problem)})"


def _rest(text: str, index: int) -> str:
    line = re.split(r"[\r\n]", text[index : index + MAX_SHOWN * 2], maxsplit=1)[0].strip()
    return quoted(line) if line else "the end of a line" if text[index:].strip() else "the end of the document"


def _token(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab", "spaces: YAML allows no tabs before a field or value"
    return f"{character!r} at the beginning of a value", f"text that begins with {character!r} in quotes"


def _character(character: str) -> tuple[str, str]:
    code = ord(character) if character else 0
    if code == 0:
        return "a NUL byte", "text in UTF-8"
    if 0xDC80 <= code <= 0xDCFF:
        # How bytes that are no UTF-8 come out of Python's surrogateescape.
        return f"the byte 0x{code - 0xDC00:02x}, which is not UTF-8 here", "text in UTF-8"
    return f"the control character U+{code:04X}", "printable text"
