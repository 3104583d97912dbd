"""Loads an agent that only plays."""

from collections.abc import Mapping

from numpy.typing import NDArray

from paac_cli.algorithms.agent import Agent, make_agent
from paac_cli.config.schema import RunConfig
from paac_cli.errors import DeviceError
from paac_cli.spec import EnvSpec
from paac_cli.training.device import choose_device


def load_agent(config: RunConfig, spec: EnvSpec, policy: Mapping[str, NDArray]) -> Agent:
    """The agent with the arrays of a trained policy. Raises as `make_agent`, and DeviceError.

    It plays on the CPU, and TensorFlow sees no GPU any more: batches are small, and copying them to a GPU would take
    longer than computing.
    """
    try:
        choose_device("cpu")
    except RuntimeError as error:  # of TensorFlow, which cannot hide a GPU any more
        raise DeviceError("TensorFlow has used a GPU in this process already; load policies before that") from error
    agent = make_agent(config, spec, policy)
    agent.policy.assign(policy)
    return agent
