"""Video files, read back with a real decoder."""

import av
import numpy as np
import pytest

from paac_cli.errors import VideoError
from paac_cli.reporting.video import VideoWriter, check_video_path


def frames(count, height=210, width=160):
    """A white bar on a coloured background moves down by one row per frame."""
    for index in range(count):
        frame = np.full((height, width, 3), (40, 90, 160), np.uint8)
        frame[index % height] = 255
        yield frame


def enlarge(frame, scale):
    return np.repeat(np.repeat(frame, scale, axis=0), scale, axis=1)


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(stream)]
        return pictures, float(container.duration / av.time_base)


@pytest.mark.parametrize(("suffix", "scale"), [(".mp4", 3), (".webm", 3), (".gif", 2)])
def test_videos_play_in_real_time_in_every_format(tmp_path, suffix, scale):
    path = tmp_path / f"video{suffix}"
    with VideoWriter(path, fps=60.0) as video:
        for frame in frames(90):
            video.write(enlarge(frame, video.scale))
    pictures, seconds = decode(path)
    assert seconds == pytest.approx(1.5, abs=0.06)
    assert len(pictures) == (45 if suffix == ".gif" else 90)
    assert pictures[0].shape[:2] == (210 * scale, 160 * scale)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_every_frame_is_in_the_video_sharp_and_in_order(tmp_path):
    path = tmp_path / "video.mp4"
    with VideoWriter(path, fps=60.0) as video:
        for frame in frames(20):
            video.write(enlarge(frame, 4))
    pictures, _ = decode(path)
    for index, picture in enumerate(pictures):
        bright = np.flatnonzero(picture[:, 320].astype(int).sum(axis=1) > 600)
        assert set(bright) == set(range(4 * index, 4 * index + 4))


def test_a_gif_keeps_exact_colours(tmp_path):
    path = tmp_path / "video.gif"
    with VideoWriter(path, fps=30.0) as video:
        for frame in frames(4):
            video.write(frame)
    pictures, _ = decode(path)
    assert {tuple(colour) for colour in pictures[2].reshape(-1, 3)} == {(40, 90, 160), (255, 255, 255)}


@pytest.mark.parametrize(("height", "width"), [(630, 840), (540, 990), (402, 602), (400, 600)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_are_right_everywhere_whatever_the_size(tmp_path, height, width, suffix):
    path = tmp_path / f"video{suffix}"
    expected = np.full((height, width, 3), (13, 17, 23), np.uint8)
    expected[: height // 2, : width // 2] = 200, 50, 20
    with VideoWriter(path, fps=30.0) as video:
        for _ in range(3):
            video.write(expected)
    pictures, _ = decode(path)
    wrong = np.abs(pictures[-1].astype(int) - expected).max(axis=2) > 12
    wrong[height // 2 - 4 : height // 2 + 4] = wrong[:, width // 2 - 4 : width // 2 + 4] = False  # edges are blurred
    assert not wrong.any()


def test_frames_of_odd_size_lose_their_last_row_and_column(tmp_path):
    path = tmp_path / "video.mp4"
    with VideoWriter(path, fps=50.0) as video:
        for frame in frames(5, height=401, width=501):
            video.write(frame)
    assert decode(path)[0][0].shape[:2] == (400, 500)


def test_a_failed_recording_keeps_the_earlier_video(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"an earlier video")
    with pytest.raises(RuntimeError, match="the camera fell over"), VideoWriter(path, fps=60.0) as video:
        video.write(next(frames(1)))
        raise RuntimeError("the camera fell over")
    assert path.read_bytes() == b"an earlier video"
    assert [found.name for found in tmp_path.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("name", ["video.xyz", "video", "video.png"])
def test_an_unknown_suffix_is_an_error_that_lists_the_known_ones(tmp_path, name):
    with pytest.raises(VideoError, match=r"\.mp4, \.webm or \.gif"):
        check_video_path(tmp_path / name)
    with pytest.raises(VideoError):
        VideoWriter(tmp_path / name, 60.0)


def test_a_path_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VideoError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "video.mp4", 60.0)
