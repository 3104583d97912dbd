"""A report embeds videos, and nothing from a run directory becomes markup or leaks from elsewhere."""

import json
import os
import re

import pytest
from reported_runs import EVIL, page_of, write_checkpoint, write_metrics, write_run

from chaos.save_scenes import some_checkpoint
from paac_cli.errors import VideoError
from paac_cli.reporting.report.embedded_video import newest_video, read_video
from paac_cli.reporting.report.markup import element, script_data
from paac_cli.reporting.report.write import write_report
from paac_cli.runs.saved_run import SavedRun

MP4 = b"\0\0\0\x20ftypisom"


# --- videos


def test_the_newest_video_of_the_best_policy_is_embedded(tmp_path):
    run = write_run(tmp_path / "run")
    videos = run / "videos"
    videos.mkdir()
    for age, name in enumerate(("step_000004000-seed0.mp4", "best_000003000-seed1.gif", "best_000003000-seed0.mp4")):
        (videos / name).write_bytes(MP4)
        os.utime(videos / name, (1e9 - age, 1e9 - age))
    assert newest_video(SavedRun(run)).name == "step_000004000-seed0.mp4"
    write_checkpoint(run, 3000, 30.0)
    assert newest_video(SavedRun(run)).name == "best_000003000-seed1.gif"


def test_a_video_that_is_given_is_embedded(tmp_path):
    run, video = write_run(tmp_path / "run"), tmp_path / "a.GIF"
    video.write_bytes(b"GIF89a...")
    assert '<img src="data:image/gif;base64,R0lGODlhLi4u"' in page_of(run, tmp_path, video)


def test_without_a_video_the_page_names_the_command_that_makes_one(tmp_path):
    run = write_run(tmp_path / "run")
    assert "paac record" not in page_of(run, tmp_path)  # there is no policy yet
    write_checkpoint(run, 3000, 30.0)
    assert f"paac record --checkpoint {run} --overlay" in page_of(run, tmp_path)


def test_without_a_video_of_a_group_the_best_run_and_the_command_are_named(tmp_path):
    for seed, score in ((1, 30.0), (2, 40.0)):
        write_checkpoint(write_run(tmp_path / "group" / f"seed{seed}", overrides={"seed": seed}), 3000, score)
    best = tmp_path / "group" / "seed2"
    assert write_report(tmp_path / "group", tmp_path / "report.html", None) == (
        f"{best / 'videos'} has no video yet. To make one: paac record --checkpoint {best} --overlay"
    )


def test_a_large_video_is_left_out_unless_it_is_given(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "videos").mkdir()
    video = run / "videos" / "long.mp4"
    video.write_bytes(MP4 + bytes(9_000_000))
    assert "long.mp4 is not embedded, because it has 9 MB" in write_report(run, tmp_path / "report.html", None)
    assert write_report(run, tmp_path / "report.html", video) == ""
    assert (tmp_path / "report.html").stat().st_size > 12_000_000


def test_what_is_not_a_video_is_refused(tmp_path):
    for name, content, problem in (
        ("a.mp4", b"#!/bin/sh", "is not a .mp4 video"),
        ("a.avi", MP4, "unknown video format"),
        ("missing.mp4", None, "No such file"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(VideoError, match=problem):
            read_video(tmp_path / name)


# --- markup


def test_text_is_escaped_everywhere():
    made = element("p", EVIL, element("b", "x"), title=EVIL, hidden=True, id=False)
    assert re.sub(r"&\w+;|&#\w+;", "", made).count("<") == 4
    assert made.startswith('<p title="&lt;/script&gt;')
    assert made.endswith("<b>x</b></p>")
    data = script_data({EVIL: "\u2028\u202e"}, "data")
    assert data.count("<") == 2
    assert json.loads(re.sub(r"</?script[^>]*>", "", data)) == {EVIL: "\u2028\u202e"}


def test_no_text_of_a_run_becomes_markup(tmp_path):
    name = EVIL.replace("/", "")
    run = write_run(tmp_path / name, overrides={"env.id": EVIL, "env.kwargs": {EVIL: EVIL}}, events=[EVIL])
    write_metrics(run, ["steps", EVIL], [(1, 2.0), (2, 3.0)])
    runtime = some_checkpoint(1).runtime.model_copy(update={"processor": EVIL, "versions": {EVIL: EVIL}})
    write_checkpoint(run, 3000, 30.0, runtime=runtime, approximate=(EVIL,))
    (run / "run.json").write_text(json.dumps({"preset": EVIL, "status": "failed", "reason": EVIL}))
    (run / "videos").mkdir()
    (run / "videos" / f"{name}.mp4").write_bytes(MP4)
    page = page_of(run, tmp_path)
    assert page.count("hacked") > 15
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert page.count("<style") == page.count("</style>") == 1


def test_control_characters_are_escaped(tmp_path):
    run = write_run(tmp_path / "run", events=["\x1b[2J\u202egone"])
    assert r"\x1b[2J\u202egone" in page_of(run, tmp_path)


def test_the_policy_of_the_page_allows_nothing_from_elsewhere(tmp_path):
    page = page_of(write_run(tmp_path / "run"), tmp_path)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src &#x27;none&#x27;;")
    assert "unsafe" not in policy
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")  # a namespace


def test_links_in_a_run_directory_are_not_followed(tmp_path):
    """They may lead to files of the user, who then sends the report to somebody else."""
    run = write_run(tmp_path / "run")
    (tmp_path / "secret.log").write_text("2026-01-31T12:00:00Z secret\n")
    (tmp_path / "secret.mp4").write_bytes(MP4)
    (run / "events.log").unlink()
    (run / "events.log").symlink_to(tmp_path / "secret.log")
    (run / "videos").mkdir()
    (run / "videos" / "video.mp4").symlink_to(tmp_path / "secret.mp4")
    assert newest_video(SavedRun(run)) is None
    assert "secret" not in page_of(run, tmp_path)
