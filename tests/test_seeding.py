"""The random streams of a run. Published results depend on these keys."""

import numpy as np
import pytest

from paac_cli.seeding import episode_seed, integer_seed, replay_generator, shuffle_generator, weights_generator


def test_an_episode_is_keyed_by_environment_and_episode():
    expected = np.random.SeedSequence(7, spawn_key=(0, 2, 3))
    assert (episode_seed(7, env=2, episode=3).generate_state(4) == expected.generate_state(4)).all()


def test_an_integer_seed_is_the_first_word_of_its_sequence():
    seed = episode_seed(7, env=2, episode=3)
    assert integer_seed(seed) == seed.generate_state(1)[0] == integer_seed(seed)
    assert isinstance(integer_seed(seed), int)


@pytest.mark.parametrize(
    ("generator", "spawn_key"),
    [
        (weights_generator(7), (1,)),
        (shuffle_generator(7, 64), (2, 64)),
        (replay_generator(7, 64), (3, 64)),
    ],
)
def test_every_other_stream_has_its_own_key(generator, spawn_key):
    expected = np.random.default_rng(np.random.SeedSequence(7, spawn_key=spawn_key))
    assert (generator.random(4) == expected.random(4)).all()
