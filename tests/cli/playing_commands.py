"""Helpers for tests of commands that play: the report of `paac eval`, and the frames of a video."""

import json

import av


def evaluate(invoke, run_dir, *more):
    result = invoke("eval", run_dir, "--json", *more)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def pictures_of(path):
    """The frames of a video, each [height, width, 3] RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
