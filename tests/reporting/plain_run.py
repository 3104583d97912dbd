"""A run directory that holds only what reports read."""

from paac_cli.config.load import load_config, to_yaml


def write_run(directory):
    """Write a CartPole run's config and two rows of metrics."""
    config = load_config(
        {"env": {"id": "CartPole-v1"}, "network": {"torso": "mlp"}, "training": {"total_steps": 100}}, "test"
    )
    directory.mkdir()
    (directory / "config.yaml").write_text(to_yaml(config))
    (directory / "metrics.csv").write_text("steps,rollout/ep_rew_mean\n50,10.0\n100,20.0\n")
    return directory
