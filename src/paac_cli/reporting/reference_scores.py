"""Published scores for the twelve games of the PAAC paper.

`random` and `human` define the human-normalised score in the literature (Mnih et al. 2015, and Wang et al. 2016 for
no-op starts). `paper_*` are from table 1 of Clemente et al. 2017. All were measured with no-op starts, the minimal
action set, no sticky actions, and the default mode and difficulty of the game.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from paac_cli.config.env import EnvConfig

Score = TypeVar("Score", float, NDArray[np.float64])


class ReferenceScores(NamedTuple):
    """Raw scores in one game."""

    random: float
    human: float
    paper_nips: float
    paper_nature: float

    def paper(self, torso: str) -> tuple[str, float]:
        """The paper's network that `torso` is compared with, and its score."""
        return ("nature", self.paper_nature) if torso == "nature" else ("nips", self.paper_nips)

    def human_normalised(self, score: Score) -> Score:
        """`score`, one or an array, on a scale where random play is 0 and human play is 1."""
        return (score - self.random) / (self.human - self.random)


REFERENCE_SCORES = {
    "ALE/Amidar-v5": ReferenceScores(5.8, 1719.5, 701.8, 1348.3),
    "ALE/BeamRider-v5": ReferenceScores(363.9, 16926.5, 4062.0, 6844.0),
    "ALE/Boxing-v5": ReferenceScores(0.1, 12.1, 99.6, 99.8),
    "ALE/Breakout-v5": ReferenceScores(1.7, 30.5, 470.1, 565.3),
    "ALE/Centipede-v5": ReferenceScores(2090.9, 12017.0, 5747.32, 7368.1),
    "ALE/MsPacman-v5": ReferenceScores(307.3, 6951.6, 2194.7, 1976.0),
    "ALE/NameThisGame-v5": ReferenceScores(2292.3, 8049.0, 9743.7, 14068.0),
    "ALE/Pong-v5": ReferenceScores(-20.7, 14.6, 20.6, 20.9),
    "ALE/Qbert-v5": ReferenceScores(163.9, 13455.0, 16561.7, 17249.2),
    "ALE/Seaquest-v5": ReferenceScores(68.4, 42054.7, 1754.0, 1755.3),
    "ALE/SpaceInvaders-v5": ReferenceScores(148.0, 1668.7, 1077.3, 1427.8),
    "ALE/UpNDown-v5": ReferenceScores(533.4, 11693.2, 88105.3, 100523.3),
}


def published_scores(env: EnvConfig) -> ReferenceScores | None:
    """Scores to compare with those in `env`; None if there are none, as for other modes and difficulties."""
    is_default = env.mode is None and env.difficulty is None
    return REFERENCE_SCORES.get(env.id) if is_default else None
