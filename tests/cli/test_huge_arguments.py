"""Arguments of any size are answered with one short error."""

import pytest

LONG, DIGITS, DEEP = "x" * 100_000, "9" * 50_000, "/".join(["x" * 200] * 30)
TRAIN = ["train", "--preset", "cartpole"]
ARGUMENTS = {
    "a key of 1,500 parts": [*TRAIN, "--set", f"{'.'.join('a' * 1_500)}=1"],
    "a key of 30 parts": [*TRAIN, "--set", f"env.id.{'.'.join('a' * 28)}=1"],
    "a long key": [*TRAIN, "--set", f"a.{LONG}=1"],
    "no key": [*TRAIN, "--set", LONG],
    "a long number": [*TRAIN, "--set", f"seed={DIGITS}"],
    "a long hexadecimal number": [*TRAIN, "--set", f"seed=0x{DIGITS}"],
    "a long text": [*TRAIN, "--set", f"env.kwargs={{a: {LONG}}}"],
    "a deep list": [*TRAIN, "--set", f"a={'[' * 20_000}"],
    "a deep mapping": [*TRAIN, "--set", f"a={'{a: ' * 10_000}"],
    "a long list": [*TRAIN, "--set", f"network.hidden_sizes=[{'9,' * 20_000}]"],
    "a long torso": [*TRAIN, "--set", f"network.torso={LONG[:40_000]}"],
    "a long environment": [*TRAIN, "--env", LONG],
    "a long algorithm": [*TRAIN, "--algorithm", LONG],
    "a long class": [*TRAIN, "--algorithm", f"m:{LONG}"],
    "a long module": [*TRAIN, "--algorithm", f"{LONG}:m"],
    "a long run directory": [*TRAIN, "--run-dir", LONG],
    "a deep run directory": [*TRAIN, "--run-dir", DEEP],
    "a large seed": [*TRAIN, "--seed", DIGITS],
    "many environments": [*TRAIN, "--num-envs", "9" * 30],
    "many workers": [*TRAIN, "--num-workers", DIGITS],
    "many steps": [*TRAIN, "--total-steps", "1e999"],
    "a long device": [*TRAIN, "--device", LONG],
    "a long preset": ["train", "--preset", LONG],
    "a long file": ["train", "--preset", f"{LONG}.yaml"],
    "eval": ["eval", LONG],
    "a deep checkpoint": ["eval", DEEP],
    "many games": ["eval", "x", "--episodes", DIGITS],
    "verify": ["verify", LONG],
    "plot": ["plot", LONG],
    "a long plot": ["plot", "x", "--out", f"{LONG}.png"],
    "record": ["record", "--checkpoint", LONG],
    "a long video": ["record", f"{LONG}.mp4", "--checkpoint", "x"],
    "a long time": ["record", "--seconds", "1e309"],
    "copy": ["presets", "copy", "pong", f"{LONG}.yaml"],
    "show": ["presets", "show", LONG],
    "validate": ["presets", "validate", LONG],
    "a long search space": ["tune", LONG, "--preset", "cartpole"],
    "many trials": ["tune", "x", "--preset", "cartpole", "--trials", DIGITS],
    "bench": ["bench", LONG],
    "a preset of bench": ["bench", "sampler", "--preset", LONG],
    "a command": [LONG],
    "an option": [f"--{LONG}"],
}


@pytest.mark.parametrize("args", ARGUMENTS.values(), ids=ARGUMENTS)
def test_huge_arguments_give_a_short_error(args, invoke, tmp_path):
    result = invoke(*args)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert len(result.stderr) < 1_500
    assert not any(tmp_path.iterdir())
