"""Functions that do not build a Keras torso are refused with the reason."""

import sys

import numpy as np
import pytest

from keras_models import (
    PlainVariable,
    another_shape,
    captured_layer,
    failing,
    feature_maps,
    name_of,
    nothing,
    one_batch,
    one_number,
    only_a_layer,
    two_outputs,
)
from paac_cli.config.schema import NetworkConfig
from paac_cli.errors import ConfigError
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.networks.q_network import QNetwork
from paac_cli.spec import EnvSpec, discrete_action

VECTORS = EnvSpec((3,), np.dtype(np.float32), discrete_action(("",) * 3), 60.0)


@pytest.mark.parametrize(
    ("torso", "message"),
    [
        ("no_such_module:make", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("keras_models:no_such_function", "cannot be imported: AttributeError"),
        ("keras_models:not_callable", "is not a function: 3"),
        (name_of(nothing), r"for inputs of shape \(3,\): TypeError: it returned NoneType, not a keras.Model"),
        (name_of(only_a_layer), r"for inputs of shape \(3,\): TypeError: it returned Dense, not a keras.Model"),
        (name_of(two_outputs), r"for inputs of shape \(3,\): TypeError: the model returned list, not one tensor"),
        (name_of(one_number), r"for inputs of shape \(3,\): ValueError: the model maps 2 inputs to shape \(2,\)"),
        (name_of(one_batch), r"for inputs of shape \(3,\): ValueError: the model maps 2 inputs to shape \(1, 3\)"),
        (name_of(another_shape), r"fails for inputs of shape \(3,\): ValueError: .*call\(\)\. Invalid input shape"),
        (name_of(feature_maps), r"fails for inputs of shape \(3,\): ValueError"),
        (name_of(PlainVariable), r"fails for .*weights that Keras does not count as its own \(my_kernel:0\)"),
        (
            name_of(captured_layer),
            r"fails for .*weights that Keras does not count as its own \(\S*kernel\S*, \S*bias\S*\)",
        ),
        (name_of(failing), r"fails for inputs of shape \(3,\): RuntimeError: no such thing"),
    ],
)
@pytest.mark.parametrize("kind", [ActorCritic, QNetwork])
def test_a_function_that_does_not_build_a_torso_is_refused_with_the_reason(torso, message, kind):
    with pytest.raises(ConfigError, match=f"^network.torso = '{torso}' .*{message}"):
        kind(NetworkConfig(torso=torso), VECTORS, np.random.default_rng(0))


def test_a_module_that_fails_to_import_is_refused(tmp_path, monkeypatch):
    (tmp_path / "broken_models.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="cannot be imported: ZeroDivisionError: division by zero"):
        ActorCritic(NetworkConfig(torso="broken_models:make"), VECTORS, np.random.default_rng(0))
    assert "broken_models" not in sys.modules
