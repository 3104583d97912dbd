"""Action masks: `info["action_mask"]`, in which Gymnasium's environments report the legal actions (`env.action_mask`).

The mask becomes the end of the observation. So it is handled like any observation in shared memory, replay buffer and
evaluation, and a mask that differs on replay is a divergence; networks split it off again.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paac_cli.errors import EnvironmentSpecError, EnvOutputError
from paac_cli.spec import EnvSpec

MASK_KEY = "action_mask"  #: of `info`


class MaskWriter:
    """Writes observations that end with the mask of the next action."""

    def __init__(self, spec: EnvSpec, env_id: str) -> None:
        """spec: without the mask. Raises EnvironmentSpecError if the actions are not Discrete."""
        if spec.action.num_actions is None:
            raise EnvironmentSpecError(
                f"{env_id}: env.action_mask needs a Discrete action space, which this environment does not have; set "
                "it to false"
            )
        self._num_actions = spec.action.num_actions
        self._shape, self._size = spec.obs_shape, int(np.prod(spec.obs_shape))
        self.spec = spec.with_mask()

    def split(self, out: NDArray) -> NDArray:
        """The part of the row `out` that holds the observation itself: a view [*obs_shape]."""
        return out[: self._size].reshape(self._shape)

    def write(self, info: Any, out: NDArray, steps: int) -> None:
        """Write the mask in `info` to the row `out`. Raises EnvOutputError if it is missing, invalid or all 0.

        steps: of the episode so far.
        """
        mask = info.get(MASK_KEY) if isinstance(info, dict) else None
        when = f"after step {steps} of the episode" if steps else "at reset"
        if not isinstance(mask, np.ndarray) or mask.shape != (self._num_actions,) or mask.dtype.kind not in "biu":
            hint = "; if this environment has no masks, set env.action_mask to false" if mask is None else ""
            raise EnvOutputError(
                f"{when}: info[{MASK_KEY!r}] is {_shown(mask)}; expected an array of {self._num_actions} integers or "
                f"booleans, 1 for a legal action and 0 for any other{hint}"
            )
        if not steps and not np.isin(mask, (0, 1)).all():  # only at a reset, for speed: a convention does not change
            raise EnvOutputError(
                f"{when}: info[{MASK_KEY!r}] is {mask.tolist()}; expected 1 for a legal action and 0 for any other"
            )
        if not mask.any():
            raise EnvOutputError(
                f"{when}: no action is legal: info[{MASK_KEY!r}] is all 0, but the episode has not terminated"
            )
        out[self._size :] = mask != 0


def _shown(mask: Any) -> str:
    if isinstance(mask, np.ndarray):
        return f"an array of shape {mask.shape} and dtype {mask.dtype}"
    return "missing" if mask is None else f"of type {type(mask).__name__}"
