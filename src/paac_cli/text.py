"""Formatting that several messages share."""


def counted(number: int, noun: str) -> str:
    """`number` with the right form of `noun`: "1 worker", "2 workers"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
