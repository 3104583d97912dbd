import av
import numpy as np
import pytest

from paac_cli.errors import VideoError
from paac_cli.reporting.video import VideoWriter, check_suffix, enlarge


def frames(count, height=210, width=160):
    """A white bar that moves down one row per frame on a coloured ground."""
    for index in range(count):
        frame = np.full((height, width, 3), (40, 90, 160), np.uint8)
        frame[index % height] = 255
        yield frame


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(stream)]
        return pictures, float(container.duration / av.time_base)


@pytest.mark.parametrize(("suffix", "size"), [(".mp4", (840, 640)), (".webm", (840, 640)), (".gif", (420, 320))])
def test_real_time_in_every_format(tmp_path, suffix, size):
    path = tmp_path / f"film{suffix}"
    with VideoWriter(path, fps=60.0) as video:
        for frame in frames(90):
            video.write(enlarge(frame, video.scale))
    pictures, seconds = decode(path)
    assert seconds == pytest.approx(1.5, abs=0.06)
    assert len(pictures) == (45 if suffix == ".gif" else 90)
    assert pictures[0].shape[:2] == size
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_every_frame_is_in_the_film_crisp_and_in_order(tmp_path):
    path = tmp_path / "film.mp4"
    with VideoWriter(path, fps=60.0) as video:
        for frame in frames(20):
            video.write(enlarge(frame, video.scale))
    pictures, _ = decode(path)
    for index, picture in enumerate(pictures):
        bright = np.flatnonzero(picture[:, 320].astype(int).sum(axis=1) > 600)
        assert set(bright) == set(range(4 * index, 4 * index + 4))


def test_a_gif_keeps_exact_colours(tmp_path):
    path = tmp_path / "film.gif"
    with VideoWriter(path, fps=30.0) as video:
        for frame in frames(4):
            video.write(frame)
    pictures, _ = decode(path)
    assert {tuple(colour) for colour in pictures[2].reshape(-1, 3)} == {(40, 90, 160), (255, 255, 255)}


def test_odd_sizes_lose_a_row_not_the_film(tmp_path):
    path = tmp_path / "film.mp4"
    with VideoWriter(path, fps=50.0) as video:
        for frame in frames(5, height=401, width=501):
            video.write(enlarge(frame, video.scale))
    assert decode(path)[0][0].shape[:2] == (400, 500)


def test_a_film_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"an earlier film")
    with pytest.raises(RuntimeError, match="in mid-film"), VideoWriter(path, fps=60.0) as video:
        video.write(next(frames(1)))
        raise RuntimeError("in mid-film")
    assert path.read_bytes() == b"an earlier film"
    assert [found.name for found in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("name", ["film.xyz", "film", "film.png"])
def test_a_suffix_without_codec_is_named_with_those_that_work(tmp_path, name):
    with pytest.raises(VideoError, match=r"\.mp4, \.webm, \.gif"):
        check_suffix(tmp_path / name)
    with pytest.raises(VideoError):
        VideoWriter(tmp_path / name, 60.0)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VideoError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "film.mp4", 60.0)
