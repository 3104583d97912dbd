"""Rows of metrics for tests of what a training shows."""

from paac_cli.reporting.learning_history import LearningHistory, Row

METRICS = {
    "rollout/ep_rew_mean": 10.0,
    "rollout/ep_len_mean": 20.0,
    "rollout/episodes": 150,
    "rollout/reward_min": 0.0,
    "rollout/reward_max": 1.0,
    "time/frames": 4_000,
    "time/fps": 500.0,
    "time/time_elapsed": 10.0,
    "time/act_share": 0.2,
    "time/env_share": 0.61,
    "time/learn_share": 0.17,
    "train/entropy": 0.5,
    "train/value_loss": 0.25,
}


def rows(count, every=1_000, **columns):
    """`count` rows, one for each `every` steps and second, with 10 games each.

    columns: name without its group -> function of the index of a row.
    """
    groups = {name.rpartition("/")[2]: name for name in METRICS}
    return [
        Row(
            every * (index + 1),
            METRICS
            | {"time/time_elapsed": float(index + 1), "rollout/episodes": 10 * (index + 1)}
            | {groups[name]: column(index) for name, column in columns.items()},
        )
        for index in range(count)
    ]


def history_of(rows, earlier=()):
    history = LearningHistory(earlier)
    for row in rows:
        history.write(row.steps, row.metrics)
    return history
