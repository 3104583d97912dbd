"""Texts use the terms of the field, not the words that this project once used instead."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("src", "tests", "chaos", "benchmarks", "docs", "presets")
FILES = sorted(
    [
        *(path for place in PLACES for path in (ROOT / place).rglob("*") if path.suffix in (".py", ".md", ".yaml")),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "pyproject.toml")),
    ]
)

#: Pattern, matched against whole words -> what to write instead. Case-sensitive, because `is None` is Python.
FORBIDDEN = {
    r"[Pp]aid|[Pp]ays": "reward, reward_sum, gives a reward",
    r"[Ss]trayed|[Ss]trays": "diverged (on replay)",
    r"[Ss]ittings?": "session",
    r"[Dd]oubts?|[Dd]oubted|DOUBT": "approximate, reason",
    r"[Ww]hereabouts": "activity",
    r"[Cc]ut off|[Cc]uts off": "truncated",
    r"[Cc]ut short|[Tt]orn": "truncated, incomplete",
    r"how-manyth": "index",
    r"(is|are) none|is no number|no numbers?": "is missing, is not a number, is not finite",
    r"[Pp]lay(ed|s)? again": "replay",
    r"[Tt]old|[Tt]ells?": "log, warn, report",
    r"[Hh]ears|[Hh]eard": "log, warn; gets",
    r"\w*in_words|[Ii]n words": "format_..., human-readable",
    r"[Ss]hall": "should, must, or rewrite",
    r"[Ww]hoever|[Ii]n the midst|[Ii]n its midst": "rewrite",
    r"becomes? of": "rewrite",
    r"[Ll]ost workers?|workers? (was|were) lost|[Ll]oss of a worker": "worker died, hung or failed",
    r"[Ss]omebody('s)?": "rewrite; third-party, user-defined",
    r"surroundings": "runtime",
    r"leash": "server_setup",
    r"[Pp]atience": "timeout",
}

#: Exact phrases in which one of these words is right.
ALLOWED = (
    "there is none",
    "there are none",
    "somebody else",
    "for word in words",
    "_waiting.tell()",  # the position in a file
)


def findings(text):
    for phrase in ALLOWED:
        text = text.replace(phrase, "")
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, instead in FORBIDDEN.items():
            if found := re.search(rf"\b(?:{pattern})\b", line):
                yield f"{number}: {found[0]!r} (write: {instead})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_texts_use_the_terms_of_the_field(path):
    if path == Path(__file__):
        return
    found = list(findings(path.read_text(encoding="utf-8")))
    if found:
        pytest.fail("\n".join([path.relative_to(ROOT).as_posix(), *found]), pytrace=False)
