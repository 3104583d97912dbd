"""Computes with rliable what test_statistics.py compares with: python make_rliable_numbers.py > rliable_numbers.json

Needs `pip install "rliable==1.2.0" "pandas<3"`; the tests themselves do not.
"""

import json

import numpy as np
from rliable import library, metrics

RNG = np.random.default_rng(7)


def numbers(runs, tasks):
    """Scores of two groups of runs, and rliable's statistics of them."""
    one, other = RNG.normal(1.0, 0.5, (runs, tasks)).round(1), RNG.normal(0.7, 0.4, (runs + 1, tasks)).round(1)
    thresholds = np.linspace(-0.5, 2.0, 11)
    iqm, iqm_interval = library.get_interval_estimates(
        {"one": one}, lambda scores: np.array([metrics.aggregate_iqm(scores)]), reps=20_000
    )
    improvement, improvement_interval = library.get_interval_estimates(
        {"pair": (one, other)},
        lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
        reps=5_000,
    )
    profile, _ = library.create_performance_profile({"one": one}, thresholds, reps=10)
    return {
        "scores": one.tolist(),
        "others": other.tolist(),
        "thresholds": thresholds.tolist(),
        "interquartile_mean": float(iqm["one"][0]),
        "interquartile_mean_interval": iqm_interval["one"][:, 0].tolist(),
        "probability_of_improvement": float(improvement["pair"][0]),
        "probability_of_improvement_interval": improvement_interval["pair"][:, 0].tolist(),
        "performance_profile": profile["one"].tolist(),
    }


print(json.dumps([numbers(5, 1), numbers(3, 4), numbers(10, 6)], indent=1))
