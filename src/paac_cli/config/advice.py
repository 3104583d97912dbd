"""Warnings about settings that are valid but probably not intended."""

from paac_cli.config.schema import RunConfig


def advice(config: RunConfig, obs_shape: tuple[int, ...] | None = None) -> list[str]:
    """One sentence per setting of `config` that deserves a warning.

    obs_shape: of one observation; None if it is not known, and then some checks are skipped.
    """
    warnings = []
    anneal_steps, total_steps = getattr(config.algorithm, "lr_anneal_steps", 0), config.training.total_steps
    if 0 < anneal_steps < total_steps:
        warnings.append(
            f"the learning rate reaches 0 at step {anneal_steps:,}, and training.total_steps is {total_steps:,}: "
            "nothing is learned after that step; to learn until the end, start a new run with "
            f"--set algorithm.lr_anneal_steps={total_steps}"
        )
    if config.network.torso == "mlp" and obs_shape is not None and len(obs_shape) == 3:
        warnings.append(f"torso 'mlp' flattens images {list(obs_shape)}; use --set network.torso=nature, or nips")
    return warnings
