"""Named rule sets of Atari games. Scores under different rule sets must never be compared."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class AtariRules:
    """One rule set; `env.protocol` in a config holds its name.

    sticky:           probability, at each emulator frame, that the previous action is repeated (sticky actions).
    full_action_set:  the full action set: all actions of the joystick, 18 in most games, instead of the minimal set,
                      which has the actions that the game uses.
    life_loss_terminates: a lost life terminates the training episode (never the game that is scored).
    fire_on_reset:    at the start of each game and life, play FIRE and then action 2, in games whose action 1 is FIRE.
    noops:            (min, max) emulator frames of NOOP after a reset, drawn uniformly, both bounds included.
    warm_start:       fill the frame stack with steps of NOOP; otherwise repeat the first frame.
    resize:           how the emulator's screen is resized to 84 x 84.
    clip_rewards:     learn from the sign of the reward. Scores are always raw.
    """

    name: str
    sticky: float
    full_action_set: bool
    life_loss_terminates: bool
    fire_on_reset: bool
    noops: tuple[int, int]
    warm_start: bool
    resize: Literal["area", "nearest"]
    clip_rewards: bool


#: The authors' code, github.com/Alfredvc/paac, atari_emulator.py.
PAAC2017 = AtariRules(
    name="paac2017",
    sticky=0.0,
    full_action_set=False,
    life_loss_terminates=False,
    fire_on_reset=False,
    noops=(0, 30),
    warm_start=True,
    resize="nearest",
    clip_rewards=True,
)

#: github.com/openai/baselines, atari_wrappers.py: make_atari + wrap_deepmind.
BASELINES = AtariRules(
    name="baselines",
    sticky=0.0,
    full_action_set=False,
    life_loss_terminates=True,
    fire_on_reset=True,
    noops=(1, 30),
    warm_start=False,
    resize="area",
    clip_rewards=True,
)

#: Machado et al. 2018, Revisiting the Arcade Learning Environment (arXiv 1709.06009): sticky actions, the full action
#: set, no signal of lost lives. The paper skips 5 frames and truncates after 18,000 frames; `FRAME_SKIP` and
#: `MAX_STEPS` below are later practice, as in Dopamine.
MACHADO2018 = AtariRules(
    name="machado2018",
    sticky=0.25,
    full_action_set=True,
    life_loss_terminates=False,
    fire_on_reset=False,
    noops=(0, 0),
    warm_start=False,
    resize="area",
    clip_rewards=True,
)

RULE_SETS = {rules.name: rules for rules in (PAAC2017, BASELINES, MACHADO2018)}

# Common to all rule sets:

SCREEN_SIZE = 84  #: height and width of a frame in an observation, in pixels
FRAMES_PER_SECOND = 60.0  #: emulator frames per second of real-time play (NTSC: 59.92)
MAX_STEPS = 27_000  #: a game is truncated after this many steps: 108,000 frames, half an hour of real-time play
