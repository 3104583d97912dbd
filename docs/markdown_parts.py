"""The parts of Markdown of which the reference consists."""

import re
from collections.abc import Iterable

#: What is code in a text that is written for a terminal: a verbose regular expression.
_CODE = r"""
    `[^`]+`
  | (?<!\w)\{.+\}                           # {mean_return: 475}
  | [\w./-]*<[\w-]+>(?:[\w./<>-]*[\w/>])?   # runs/<preset>/seed<N>
  | \w+\['\w+'\]                            # info['action_mask']
  | [\w+./-]*\w\(\w*\)                      # close(), 1/sqrt(fan_in)
  | (?<![\w-])--[a-z][a-z-]*                # --seed
  | (?<!\w)\.[a-z][a-z0-9]+\b               # .mp4
  | \b[a-z]\w*_\w+[ ]=[ ]\w+                # ent_coef = auto
  | \b[A-Z][A-Z_]+=\w+                      # NO_COLOR=1
  | \bALE/(?:[\w-]+|\.{3})
  | \b[A-Za-z]\w*:[A-Za-z]\w*(?:-v\d)?      # module:Class
  | \b\w+-v\d\b                             # CartPole-v1
  | \b(?!e\.g|i\.e)(?:\w+/)?[a-z]\w*(?:[._]\w+)+   # training.total_steps, rollout/success_rate
  | \b[a-z]+/(?!\w|\.\w)                     # runs/
  | \b(?:paac|ppo|nstep_q|dqn|sac)\b
  | \b(?:Discrete|Dict|Tuple)\b             # spaces of Gymnasium
  | \b(?:null|true|false|auto)\b
"""


def code(text: str) -> str:
    """`text` as code."""
    return f"`{text}`"


def prose(text: str, also: str = "") -> str:
    """`text` as Markdown, with code marked: what looks like it, and matches of the regular expression `also`."""
    parts, end = [], 0
    for found in re.finditer(f"{_CODE} | {also}" if also else _CODE, text, re.VERBOSE):
        parts += [text[end : found.start()].replace("<", "&lt;"), code(found[0].strip("`"))]
        end = found.end()
    return "".join([*parts, text[end:].replace("<", "&lt;")])


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells are Markdown."""
    header = tuple(header)
    return "\n".join([_row(header), "|" + "---|" * len(header), *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in escaped)}|"
