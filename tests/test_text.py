"""Text of others on its way to a terminal."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paac_cli.text import (
    counted,
    describe_error,
    format_count,
    format_score,
    printable,
    ranges,
    reason,
    rounded,
    shell_quoted,
    shorten,
)


def test_a_noun_has_the_number_that_stands_before_it():
    assert [counted(number, "game") for number in (0, 1, 2_000)] == ["0 games", "1 game", "2,000 games"]
    assert [counted(number, "policy", "policies") for number in (1, 2)] == ["1 policy", "2 policies"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;owned\a\x1b[2J", r"\x1b]0;owned\x07\x1b[2J"),
        ("\x9b2J\x85", r"\x9b2J\x85"),  # the same in one character, for some terminals
        ("a\rb\bc\x7f", r"a\rb\x08c\x7f"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),  # shown from right to left
        ("a\u200bb\ufeff\u2028", r"a\u200bb\ufeff\u2028"),
        ("caf\udce9 \ud800", r"caf\xe9 \ud800"),
        ("größe 日本 \xa0 €😀 \n\t", "größe 日本 \xa0 €😀 \n\t"),
    ],
)
def test_characters_that_control_a_terminal_or_hide_text_are_escaped(text, expected):
    assert printable(text) == expected
    assert printable(expected) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (21.0, "21"),
        (-313.978, "-313.98"),
        (1234567.0, "1234567"),
        (-0.891576, "-0.892"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.999, "2"),
        (0.999999, "1"),
        (1.23456e-5, "1.23e-05"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_rounded_for_people(number, expected):
    assert rounded(number) == expected


@given(st.text())
def test_every_text_becomes_printable_and_can_be_encoded(text):
    shown = printable(text, keep="")
    assert not set(shown) & {chr(code) for code in (*range(32), *range(0x7F, 0xA0))}
    shown.encode()


def test_one_line_has_no_line_breaks():
    assert printable("a\nError: b\t", keep="") == r"a\nError: b\t"


@pytest.mark.parametrize("text", ["runs/x", "a b", "it's", "a\nb", "caf\udce9", "\x1b[31m'\\'$(x)", "größe", "\\x41"])
def test_a_shell_reads_back_what_was_quoted(text):
    result = subprocess.run(["bash", "-c", f"printf %s {shell_quoted(text)}"], capture_output=True, check=True)
    assert result.stdout == text.encode(errors="surrogateescape")
    assert printable(shell_quoted(text), keep="") == shell_quoted(text)


def test_long_texts_are_shortened():
    assert shorten("x" * 200) == "x" * 200
    assert shorten("x" * 201) == "x" * 200 + "..."


def test_an_error_of_third_party_code_is_described_in_one_line_without_colours():
    error = ValueError("Exception in call().\n\n\x1b[1mInvalid \x1b[38;5;9minput\x1b[0m\n")
    assert describe_error(error) == "ValueError: Exception in call(). Invalid input"
    assert describe_error(AssertionError()) == "AssertionError"
    assert describe_error(ValueError(f"Graph error{'.' * 999}x is NaN"), 10) == "ValueError: Graph...s NaN"


def test_the_reason_of_an_error_names_a_file_only_if_the_message_does_not():
    error = PermissionError(13, "Permission denied", "run/x")
    assert reason(error, Path("run/x")) == "Permission denied"
    assert reason(error, Path("run")) == reason(error) == "Permission denied: run/x"
    assert reason(OSError(28, "No space left on device")) == "No space left on device"
    assert reason(ValueError("not a table")) == "not a table"
    assert reason(OSError("closed")) == "closed"


def test_ranges_join_neighbours():
    assert ranges([3, 1, 2, 7, 7, 9, 10]) == ["1-3", "7", "9-10"]
    assert ranges([]) == []


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0, "0"),
        (21.0, "21"),
        (-21, "-21"),
        (1234567, "1,234,567"),
        (48.321, "48.3"),
        (-0.2513, "-0.25"),
        (0.00412, "0.0041"),
        (-0.001, "-0.001"),
        (-0.0, "0"),
        (0.0949, "0.095"),
        (0.0999, "0.10"),
        (2.5e9, "2.5e+09"),
    ],
)
def test_scores_are_short(score, text):
    assert format_score(score) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (950, "950"), (999, "999"), (1_300, "1.3k"), (999_936, "1M"), (10_000_000, "10M"), (999_999_999, "1G")],
)
def test_counts_have_three_digits_and_a_unit(number, text):
    assert format_count(number) == text
