"""Which slot is current, and where the first and the latest observation of a rollout are."""

from paac_cli.sampling.slots import Slots


def state(slots):
    return slots.current, slots.with_first_obs, slots.with_latest_obs, slots.in_rollout


def test_slots_of_two_rollouts_of_three_steps():
    slots, states = Slots(rollout_length=3), []
    for _ in range(2):
        slots.begin_rollout()
        states.append(state(slots))
        for _ in range(3):
            slots.advance()
            states.append(state(slots))
    assert states == [
        (0, 0, (0,), True),
        (1, 0, (1,), True),
        (2, 0, (2,), True),
        (3, 0, (3,), False),
        (3, 3, (3,), True),  # slot 3 is copied to slot 0 in the next step
        (1, 0, (1,), True),
        (2, 0, (2,), True),
        (3, 0, (3,), False),
    ]
    slots.reset()
    assert (slots.current, slots.in_rollout) == (0, False)


def test_a_rollout_of_one_step_may_overwrite_its_first_observation():
    slots = Slots(rollout_length=1)
    slots.begin_rollout()
    slots.advance()
    assert state(slots) == (1, 0, (0, 1), False)
    slots.begin_rollout()
    assert state(slots) == (1, None, (0, 1), True)
