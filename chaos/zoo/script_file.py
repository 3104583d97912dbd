"""Reads cases from a file of bash scripts. Each script has a header that says what a user should see:

### metrics-pipe: metrics.csv is a pipe
# exit 2
# output metrics.csv | no metrics
# no output hijacked
# at most 30 seconds
trained; rm run/metrics.csv; mkfifo run/metrics.csv
paac plot run
"""

import re
from pathlib import Path
from typing import Any

from chaos.zoo.case import MESSAGE_LINES, Case, Outcome

_TITLE = re.compile(r"^### (?P<name>[a-z0-9-]+): (?P<what>.+)$", re.MULTILINE)
_EXIT, _WITHOUT, _WITH, _AT_MOST = "# exit ", "# no output ", "# output ", "# at most "


def read_cases(file: str) -> list[Case]:
    """The cases in `scripts/<file>`."""
    return parse_cases((Path(__file__).parent / "scripts" / file).read_text())


def parse_cases(text: str) -> list[Case]:
    """The cases in the text of a file."""
    titles = list(_TITLE.finditer(text))
    ends = [title.start() for title in titles[1:]] + [len(text)]
    return [
        _case(title["name"], title["what"], text[title.end() : end]) for title, end in zip(titles, ends, strict=True)
    ]


def _case(name: str, what: str, body: str) -> Case:
    header, script = [], body.strip("\n").splitlines()
    while script and script[0].startswith("# "):
        header.append(script.pop(0))
    codes = tuple(int(code) for line in _rests(header, _EXIT) for code in line.split(" or "))
    without = _rests(header, _WITHOUT)
    words = tuple(word.replace(" | ", "|") for word in _rests(header, _WITH))
    limits: dict[str, Any] = {what: int(number) for number, what in map(str.split, _rests(header, _AT_MOST))}
    if 0 not in codes:
        limits.setdefault("lines", MESSAGE_LINES)
    return Case(name, what, "\n".join(script), Outcome(codes, words, without, **limits))


def _rests(header: list[str], beginning: str) -> tuple[str, ...]:
    """What follows `beginning` in the lines of `header` that begin so."""
    return tuple(line.removeprefix(beginning) for line in header if line.startswith(beginning))
