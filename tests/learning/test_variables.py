"""Variables as a state: each is saved under its own name."""

import numpy as np
import pytest
import tensorflow as tf

from minimal_config import error_message, load
from paac_cli.learning.variables import Variables
from paac_cli.networks.actor_critic import ActorCritic
from paac_cli.spec import EnvSpec, ObsPart, discrete_action


def test_variables_are_saved_under_their_names_and_those_of_groups_with_a_prefix():
    one, other = tf.Variable(1.0, name="w"), tf.Variable(2.0, name="w")
    assert Variables([one], target=[other]).to_arrays() == {"w": 1.0, "target/w": 2.0}


def test_a_variable_may_be_given_twice():
    shared = tf.Variable(1.0, name="w")
    assert Variables([shared, shared]).to_arrays() == {"w": 1.0}


@pytest.mark.parametrize(
    "make_variables",
    [
        lambda: [tf.Variable(0.0), tf.Variable(1.0)],
        lambda: [tf.Variable(0.0, name="w"), tf.Variable(tf.zeros([2, 3]), name="w")],
        lambda: tf.keras.Sequential([tf.keras.Input((3,)), *map(tf.keras.layers.Dense, (4, 2))]).variables,
    ],
    ids=["without names", "of different shapes", "of Keras"],
)
def test_two_variables_of_the_same_name_are_refused(make_variables):
    assert "two variables have the name " in error_message(Variables, make_variables())


def test_a_group_must_not_have_the_name_of_another_variable():
    one, other = tf.Variable(1.0, name="target/w"), tf.Variable(2.0, name="w")
    assert "two variables have the name 'target/w'" in error_message(Variables, [one], target=[other])


def test_torsos_of_two_parts_whose_variables_have_the_same_names_are_refused():
    """Convolution 0 of section 0 of `impala` for part `cam`, and layer 0 of `mlp` for part `cam/0`."""
    parts = (ObsPart("cam", (8, 8, 3), False), ObsPart("cam/0", (2,), False))
    spec = EnvSpec((8 * 8 * 3 + 2,), np.dtype(np.float32), discrete_action(("left", "right")), 30.0, parts=parts)
    config = load(network__torsos={"cam": "impala", "cam/0": "mlp"}).network
    network = ActorCritic(config, spec, np.random.default_rng(0))
    assert "two variables have the name 'torso/cam/0/0/" in error_message(Variables, network.variables)
