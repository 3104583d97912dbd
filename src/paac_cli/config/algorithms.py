"""One config class per algorithm, told apart by `name`.

A new algorithm adds its class here and to `AlgorithmConfig`; what makes it run is one line in
`paac_cli.algorithms.agent`.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from paac_cli.config.base import ConfigModel


class RmsPropConfig(ConfigModel):
    """RMSProp of Tieleman and Hinton, with epsilon inside the square root as in TensorFlow 1."""

    name: Annotated[Literal["rmsprop"], Field(description="which optimiser this is")] = "rmsprop"
    decay: Annotated[float, Field(ge=0, lt=1, description="decay of the mean square, in [0, 1)")] = 0.99
    epsilon: Annotated[PositiveFloat, Field(description="added to the mean square, inside the root; > 0")] = 1e-5
    momentum: Annotated[float, Field(ge=0, lt=1, description="momentum, in [0, 1)")] = 0.0
    initial_mean_square: Annotated[
        NonNegativeFloat, Field(description="where the mean square starts; TensorFlow 1 starts at 1, most others at 0")
    ] = 0.0


class AdamConfig(ConfigModel):
    """Adam (Kingma and Ba 2015), with epsilon outside the square root."""

    name: Annotated[Literal["adam"], Field(description="which optimiser this is")] = "adam"
    beta_1: Annotated[float, Field(ge=0, lt=1, description="decay of the mean, in [0, 1)")] = 0.9
    beta_2: Annotated[float, Field(ge=0, lt=1, description="decay of the mean square, in [0, 1)")] = 0.999
    epsilon: Annotated[PositiveFloat, Field(description="added to the root of the mean square; > 0")] = 1e-8


OptimizerConfig = Annotated[RmsPropConfig | AdamConfig, Field(discriminator="name")]


class PaacConfig(ConfigModel):
    """Parallel advantage actor-critic (Clemente, Castejon, Chandra 2017, arXiv 1705.04862)."""

    name: Annotated[Literal["paac"], Field(description="which algorithm this is")] = "paac"
    num_steps: Annotated[
        PositiveInt, Field(le=1024, description="steps of every environment per update (T, t_max); >= 1")
    ] = 5
    gamma: Annotated[float, Field(ge=0, le=1, description="discount per step, in [0, 1]")] = 0.99
    gae_lambda: Annotated[
        float,
        Field(ge=0, le=1, description="lambda of generalised advantage estimation, in [0, 1]; 1 = n-step returns"),
    ] = 1.0
    normalize_advantage: Annotated[
        bool, Field(description="shift and scale the advantages of every batch to mean 0 and deviation 1")
    ] = False
    learning_rate: Annotated[PositiveFloat, Field(description="at the first step; > 0")] = 7e-4
    lr_anneal_steps: Annotated[
        NonNegativeInt, Field(le=10**15, description="steps over which the rate falls linearly to 0; 0 = constant")
    ] = 0
    ent_coef: Annotated[NonNegativeFloat, Field(description="weight of the entropy bonus; >= 0")] = 0.01
    ent_anneal_steps: Annotated[
        NonNegativeInt, Field(le=10**15, description="steps over which ent_coef falls linearly to 0; 0 = constant")
    ] = 0
    vf_coef: Annotated[NonNegativeFloat, Field(description="weight of the squared value error; >= 0")] = 0.25
    loss_scale: Annotated[
        PositiveFloat, Field(description="the whole loss is multiplied by this; 5 in the authors' code; > 0")
    ] = 1.0
    max_grad_norm: Annotated[PositiveFloat, Field(description="gradients are clipped to this global norm; > 0")] = 40.0
    optimizer: Annotated[OptimizerConfig, Field(description="rmsprop or adam, with its constants")] = RmsPropConfig()

    @property
    def rollout_length(self) -> int:
        """Steps that the pool keeps for one call of the update (T)."""
        return self.num_steps


AlgorithmConfig = PaacConfig
