"""One config class per optimiser, selected by `name`."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from paac_cli.config.base import ConfigModel
from paac_cli.config.fields import NamedUnion

Beta1 = Annotated[float, Field(ge=0, lt=1, description="decay of the running mean of the gradient, in [0, 1)")]
Beta2 = Annotated[float, Field(ge=0, lt=1, description="decay of the running mean of the squared gradient, in [0, 1)")]
Epsilon = Annotated[PositiveFloat, Field(description="added to the square root of the mean squared gradient; > 0")]


class RmsPropConfig(ConfigModel):
    """RMSProp (Tieleman and Hinton 2012), with epsilon inside the square root, as in TensorFlow 1."""

    name: Annotated[Literal["rmsprop"], Field(description="selects this optimiser")] = "rmsprop"
    decay: Annotated[
        float, Field(ge=0, lt=1, description="decay of the running mean of the squared gradient, in [0, 1)")
    ] = 0.99
    epsilon: Annotated[
        PositiveFloat, Field(description="added to the mean squared gradient, inside the square root; > 0")
    ] = 1e-5
    momentum: Annotated[float, Field(ge=0, lt=1, description="momentum, in [0, 1)")] = 0.0
    initial_mean_square: Annotated[
        NonNegativeFloat,
        Field(description="initial mean of the squared gradient; >= 0 (TensorFlow 1: 1, most others: 0)"),
    ] = 0.0


class AdamConfig(ConfigModel):
    """Adam (Kingma and Ba 2015), with epsilon outside the square root."""

    name: Annotated[Literal["adam"], Field(description="selects this optimiser")] = "adam"
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8


class RAdamConfig(ConfigModel):
    """Rectified Adam (Liu et al. 2020): while the mean squared gradient is still noisy, steps are not divided by it."""

    name: Annotated[Literal["radam"], Field(description="selects this optimiser")] = "radam"
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8


OptimizerConfig = Annotated[
    RmsPropConfig | AdamConfig | RAdamConfig,
    Field(discriminator="name", description="the optimiser (`rmsprop`, `adam` or `radam`) and its constants"),
    NamedUnion(),
]
