"""What follows for a run from the check of its environment."""

from paac_cli.spec import Determinism


def approximate_reason(env_id: str, found: Determinism) -> str | None:
    """Why a run with this environment is not reproducible bit for bit; None if nothing was found."""
    differs = f"a replayed game differs in {found.detail}"
    if found.verdict == "random":
        return (
            f"games of {env_id} are not functions of their seeds and actions ({differs}), probably because reset() "
            "does not call super().reset(seed=seed), or not all random numbers come from self.np_random"
        )
    if found.verdict == "ignores its seed":
        return (
            f"{env_id} carries state from one game to the next ({differs}), and new environments would make all games "
            "the same, because it draws no random numbers from self.np_random"
        )
    return None


def information(env_id: str, found: Determinism) -> str | None:
    """What else the user should know; None if there is nothing."""
    if found.verdict == "carries state":
        differs = f" (a replayed game differs in {found.detail})" if found.detail else ""
        return (
            f"{env_id} carries state from one game to the next{differs}: every game gets a new environment "
            "(env.fresh_per_episode)"
        )
    if found.verdict == "exact" and found.detail:
        return (
            f"Whether {env_id} carries state from one game to the next was checked in {found.detail}. So that the "
            "answer does not depend on the speed of the machine, set env.fresh_per_episode to false if games are "
            "independent of each other, otherwise to true, which is slower"
        )
    if found.verdict == "unknown" and found.detail:
        return f"Whether {env_id} carries state from one game to the next is unknown: {found.detail}"
    return None
