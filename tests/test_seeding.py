"""The random streams of a run. Published results depend on these keys."""

import ctypes

import numpy as np
import pytest

from paac_cli.seeding import (
    episode_seed,
    evaluation_seed,
    integer_seed,
    replay_generator,
    shuffle_generator,
    weights_generator,
)


def test_an_episode_is_keyed_by_environment_and_episode():
    expected = np.random.SeedSequence(7, spawn_key=(0, 2, 3))
    assert (episode_seed(7, env=2, episode=3).generate_state(4) == expected.generate_state(4)).all()


def test_an_integer_seed_is_the_first_word_of_its_sequence_without_the_highest_bit():
    """Published results depend on it: words below 2^31 are unchanged."""
    for episode in range(50):
        seed = episode_seed(7, env=2, episode=episode)
        word = int(seed.generate_state(1)[0])
        assert integer_seed(seed) == (word if word < 2**31 else word - 2**31) == integer_seed(seed)
        assert isinstance(integer_seed(seed), int)


def test_evaluations_have_a_seed_of_their_own():
    assert evaluation_seed(7) == integer_seed(np.random.SeedSequence(7, spawn_key=(4,)))
    assert len({evaluation_seed(seed) for seed in range(100)} | set(range(100))) == 200


def test_an_integer_seed_fits_a_c_int():
    """Simulators written in C or C++ get it as an `int` of 32 bits: larger seeds overflow or are refused."""
    seeds = [integer_seed(episode_seed(1, env, episode)) for env in range(20) for episode in range(20)]
    assert all(ctypes.c_int(seed).value == seed >= 0 for seed in seeds)
    assert max(seeds) > 2**30
    assert len(set(seeds)) == len(seeds)


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
