"""Formatting that several messages share."""

import difflib
import math
import os
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

#: Unicode categories of characters that a terminal obeys or does not show: controls, invisible formatting (such as a
#: change of direction), bytes that are not UTF-8, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def in_ranks(number: int) -> str:
    """The words after a number of workers per rank, e.g. " in each of 2 ranks"; empty for one rank."""
    return f" in each of {number} ranks" if number > 1 else ""


def counted(number: int, noun: str, plural: str = "") -> str:
    """`number` with the right form of `noun`: "1 worker", "2,000 workers". plural: if it is not `noun` with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def ranges(numbers: Iterable[int]) -> list[str]:
    """Each of `numbers` once, with neighbours joined: ["1-3", "7"]."""
    ordered = set(numbers)
    firsts = sorted(number for number in ordered if number - 1 not in ordered)
    lasts = sorted(number for number in ordered if number + 1 not in ordered)
    return [str(first) if first == last else f"{first}-{last}" for first, last in zip(firsts, lasts, strict=True)]


def either(words: Sequence[str]) -> str:
    """One or more alternatives: "a", "a or b", "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def rounded(number: float) -> str:
    """`number` with two decimals, but without ".00"; below 1 with three significant digits."""
    return f"{number:.2f}".removesuffix(".00") if abs(number) >= 1 else f"{number + 0.0:.3g}"


def format_score(score: float) -> str:
    """A raw return or a mean of returns, short: "1,240", "-0.25", "48.3"."""
    if not math.isfinite(score):
        return str(score)
    if abs(score) >= 1e7:
        return f"{score:.3g}"
    if abs(score) < 0.095:
        return f"{score + 0.0:.2g}"
    is_whole = score == round(score) or abs(score) >= 1e4
    return f"{score:,.0f}" if is_whole else f"{score:,.{1 if abs(score) >= 10 else 2}f}"


def format_count(number: float) -> str:
    """`number` with three digits and a unit: "950", "1.3k", "10M"."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def clock(seconds: float) -> str:
    """`seconds` as h:mm:ss, or "?" if no calendar could hold them."""
    return str(timedelta(seconds=round(seconds))) if abs(seconds) < 1e13 else "?"


def printable(text: str, keep: str = "\n\t") -> str:
    """`text` with an escape such as `\\x1b` for each character that controls a terminal or hides text.

    Text from files and directories may come from somebody else. keep: control characters that are left as they are.
    """
    return "".join(c if c in keep or unicodedata.category(c) not in _UNPRINTABLE else _escape(c) for c in text)


def one_line(text: str) -> str:
    """`text`, e.g. from a file, so that it can neither control the terminal nor begin a line of its own."""
    return printable(text, keep="")


def shell_quoted(text: str) -> str:
    """`text` as one word of a command that can be copied from a terminal into a shell."""
    if one_line(text) == text:
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{one_line(escaped)}'"


def shorten(text: str, length: int = 200) -> str:
    """`text`, or its first `length` characters with an ellipsis."""
    return text if len(text) <= length else f"{text[:length]}..."


def abridged(text: str) -> str:
    """`text` with every word shortened that is longer than any that a message needs."""
    return re.sub(r"\S{400,}", lambda word: shorten(word[0]), text)


def describe_error(error: BaseException, length: int = 500) -> str:
    """Type and text of an error of third-party code, in one line. The text alone may be empty or unclear.

    Codes that make the text bold or coloured, as those of Keras, are removed. Of a long text, such as that of an error
    in a TensorFlow graph, the beginning and the end remain.
    """
    try:
        text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    except Exception:
        text = "(its text cannot be made)"
    if len(text) > length:
        text = f"{text[: length // 2]}...{text[-length // 2 :]}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def about_arguments(error: Exception, setting: str) -> str:
    """A hint at the setting that holds the arguments of a constructor, if they made it raise `error`; else empty."""
    wrong = re.search(r"missing \d+ required|unexpected keyword argument", str(error))
    return f"; {setting} holds its arguments" if isinstance(error, TypeError) and wrong else ""


def reason(error: Exception, named: Path | None = None) -> str:
    """Why a file cannot be used, e.g. "Permission denied": without the error number that `OSError` puts before it.

    named: the file that the message around it names. The file of `error` is added if it is another one.
    """
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    file = None if error.filename is None else Path(os.fsdecode(error.filename))
    return error.strerror if file in (None, named) else f"{error.strerror}: {file}"


def similar(word: str, known: Iterable[str], count: int = 3, cutoff: float = 0.5) -> list[str]:
    """The `known` words closest to `word`, the closest first; only one if it differs in nothing but case.

    cutoff: least similarity, in [0, 1]; 1 is equality.
    """
    folded = {name.lower(): name for name in known}
    if word.lower() in folded:
        return [folded[word.lower()]]
    return [folded[name] for name in difflib.get_close_matches(word.lower(), folded, n=count, cutoff=cutoff)]


def nearest(word: str, known: Iterable[str], shown: Callable[[str], str] = str, cutoff: float = 0.5) -> str:
    """ "; did you mean a, b?" with the `known` words closest to `word`; empty if none is close.

    shown: what the text has in place of a known word. cutoff: as of `similar`.
    """
    close = similar(word, known, cutoff=cutoff)
    return f"; did you mean {', '.join(map(shown, close))}?" if close else ""


def how_to_install(extra: str) -> str:
    """The commands that install the optional packages `extra` of pyproject.toml."""
    return f".venv/bin/pip install -e '.[{extra}]' in the clone, elsewhere pip install '/path/to/clone[{extra}]'"


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python represents a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
