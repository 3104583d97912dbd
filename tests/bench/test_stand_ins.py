"""Players and pools that cost no time."""

import numpy as np
from bench_toys import CONFIG, SPEC, N, T, ToyStep, fail_on_event

from paac_cli.bench.stand_ins import RandomPlayer, RecordedPool
from paac_cli.sampling.make import make_pool
from paac_cli.spec import discrete_action


def test_random_players_play_all_actions_and_then_repeat_them():
    player = RandomPlayer(SPEC._replace(action=discrete_action(("a", "b", "c"))), N, seed=3)
    played = np.stack([player.act(ToyStep(0, np.zeros(N))) for _ in range(2000)])
    assert played.shape == (2000, N)
    assert set(played.ravel()) == {0, 1, 2}
    assert np.array_equal(played[:1000], played[1000:])


def test_a_recorded_pool_repeats_the_first_rollout_of_the_run():
    recorded, player = RecordedPool.record(CONFIG, SPEC, fail_on_event), RandomPlayer(SPEC, N, CONFIG.seed)
    with make_pool(CONFIG, SPEC, fail_on_event) as pool:
        step = pool.reset()
        expected = [(step := pool.step(player.act(step))).obs.copy() for _ in range(T)]
    assert recorded.reset().slot == 0
    for _ in range(2):
        for slot, obs in enumerate(expected, start=1):
            step = recorded.step(None)
            assert step is recorded.latest
            assert step.slot == slot
            assert np.array_equal(step.obs, obs)
            assert np.array_equal(step.rollout.obs[slot], obs)
