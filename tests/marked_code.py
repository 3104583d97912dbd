"""Descriptions of settings and help texts are Markdown: code in them is in backticks."""

import re

#: What can only be code: num_envs, --seed, <N> or {a: 1}, env.id or .mp4, module:Class, null.
_CODE = r"[A-Za-z]_[A-Za-z]|--[a-z]|[<{]\w|\.[a-z]\w|[a-z]:[A-Za-z]|\bnull\b"


def code_in(text):
    """What is in backticks in `text`."""
    return re.findall(r"`([^`]+)`", text)


def unmarked_code(text):
    """The words of `text` that are code without backticks, or have a backtick without a partner."""
    return [word for word in re.sub(r"`[^`]+`", "", text).split() if re.search(rf"`|{_CODE}", word)]
