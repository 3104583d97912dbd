"""Several rendered frames become one frame of a video."""

import numpy as np

from paac_cli.envs.rendering import FrameMerger, brightest


def frame(*colours):
    return np.array([colours], np.uint8)


def test_each_pixel_comes_from_the_frame_in_which_it_is_brightest():
    red, blue, white, black = (200, 0, 0), (0, 0, 200), (255, 255, 255), (0, 0, 0)
    merged = brightest([frame(red, black, white), frame(blue, white, black), frame(black, black, black)])
    np.testing.assert_array_equal(merged, frame(red, white, white))  # no mixture of red and blue


def test_frames_are_merged_in_groups_across_steps_and_none_is_lost_at_the_end():
    merger, shared = FrameMerger(2), np.zeros((1, 1, 3), np.uint8)
    for value in (1, 2, 3):
        shared[...] = value  # the environment reuses its array
        merger.add(shared)
    assert [each.max() for each in merger.take()] == [2]
    assert merger.take() == []
    shared[...] = 1
    merger.add(shared)
    merger.add(shared)
    assert [each.max() for each in merger.take(is_last=True)] == [3, 1]


def test_a_group_of_one_is_the_frame_itself():
    merger = FrameMerger(1)
    merger.add(frame((1, 2, 3)))
    np.testing.assert_array_equal(merger.take(), [frame((1, 2, 3))])
