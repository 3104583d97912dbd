"""What the bits of a run depend on beside its config and its seed, and when they are not promised."""

from collections.abc import Mapping

APPROXIMATE = "approximate"  #: name under which a checkpoint says why its run is that
_NOT_COMPARED = frozenset({"python", "deterministic", APPROXIMATE})  # no sum depends on the one; of the others is told


def compared(now: Mapping[str, str], before: Mapping[str, str], *, resumes_exactly: bool = True) -> dict[str, str]:
    """`now`, and under `APPROXIMATE` why the run is not promised to be the same bits again, if it is not.

    now: the `surroundings` of this sitting; before: what this gave the sitting before, or an older version of paac;
    {} at the start. resumes_exactly: whether a checkpoint holds all that learning needs. What has once been
    approximate stays so.
    """
    reasons = [
        f"{name} was {before[name]} and is {value}"
        for name, value in now.items()
        if name not in _NOT_COMPARED and before.get(name, value) != value
    ]
    if now.get("deterministic") == "no":
        reasons.append("without training.deterministic a GPU adds in any order")
    if before and not resumes_exactly:
        reasons.append("the experience to learn from is not in the checkpoints")
    earlier = {APPROXIMATE: before[APPROXIMATE]} if APPROXIMATE in before else {}
    return doubted({**now, **earlier}, *reasons)


def doubted(surroundings: Mapping[str, str], *reasons: str) -> dict[str, str]:
    """`surroundings`, with more reasons under `APPROXIMATE`, each of them once."""
    earlier = surroundings.get(APPROXIMATE, "")
    doubts = ([earlier] if earlier else []) + [reason for reason in reasons if reason not in earlier]
    return {**surroundings, APPROXIMATE: "; ".join(doubts)} if doubts else dict(surroundings)
