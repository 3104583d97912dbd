"""Reports in a real browser: they request nothing, show what they should, and fit a phone, a printer and the dark."""

import json

import pytest
from reported_runs import EVIL, write_checkpoint, write_metrics, write_run

from chaos.save_scenes import some_checkpoint
from headless_chromium import chromium, needs_chromium
from paac_cli.reporting.report.write import write_report
from paac_cli.reporting.video import VideoWriter

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page():
    with chromium() as page:
        yield page


@pytest.fixture
def show(page, tmp_path):
    """show(path, **how): opens the report of `path` in `page`, which must report no problem until the end."""
    page.requested.clear()
    page.problems.clear()

    def open_report(path, video=None, **how):
        write_report(path, tmp_path / "report.html", video)
        page.open(tmp_path / "report.html", **how)
        return page

    yield open_report
    assert page.problems == []
    assert {url for url in page.requested if not url.startswith("data:")} <= {(tmp_path / "report.html").as_uri()}


@pytest.fixture
def group(tmp_path):
    for seed in (1, 2, 3):
        returns = [20.0 * seed + n for n in range(20)]
        run = write_run(tmp_path / "group" / f"seed{seed}", overrides={"seed": seed}, returns=returns, events=["Hi"])
        write_checkpoint(run, 20_000, 40.0 * seed)
    return tmp_path / "group"


def readout(page):
    return " ".join(page.run("document.getElementById('readout').innerText").split())


def choose(page, index, option):
    page.run(
        f"(() => {{ const list = document.querySelectorAll('select')[{index}]; list.value = {option};"
        "list.dispatchEvent(new Event('change')); })()"
    )


def point_at(page, share, act):
    """`act(x, y)` with a point on the chart, at this share of its width."""
    box = page.run(
        "(() => { const chart = document.querySelector('#chart svg'); chart.scrollIntoView({block: 'center'});"
        "const box = chart.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]; })()"
    )
    act(box[0] + share * box[2], box[1] + box[3] / 2)


def test_a_video_plays_and_nothing_is_requested(show, tmp_path):
    import numpy as np

    run = write_run(tmp_path / "run")
    with VideoWriter(tmp_path / "video.webm", 10) as video:
        for _ in range(5):
            video.write(np.full((60, 80, 3), 200, np.uint8))
    page = show(run, video=tmp_path / "video.webm")
    loaded = (
        "new Promise((done, fail) => { const video = document.querySelector('video');"
        "video.onerror = () => fail(video.error); video.oncanplay = () => done(video.videoWidth);"
        "if (video.readyState > 2) done(video.videoWidth); })"
    )
    assert page.run(loaded) == 80


def test_the_browser_would_notice_a_request(page, tmp_path):
    """So that the tests here can fail: the policy of the page blocks what is added to it, and says so."""
    write_report(write_run(tmp_path / "run"), tmp_path / "report.html", None)
    text = (tmp_path / "report.html").read_text()
    (tmp_path / "report.html").write_text(text.replace("</main>", "<img src='https://example.org/x.png'></main>"))
    page.problems.clear()
    page.open(tmp_path / "report.html")
    assert "Content Security Policy" in json.dumps(page.problems)


def test_the_readout_follows_mouse_touch_and_keys(show, group):
    page = show(group)
    assert readout(page).startswith("at 20,000 steps")
    assert "seed1 39" in readout(page)
    assert "interquartile mean 59" in readout(page)
    point_at(page, 0.5, page.move_mouse)
    middle = readout(page)
    steps = int(middle.split()[1].replace(",", ""))
    assert 8_000 < steps < 12_000
    assert f"seed1 {19 + steps // 1000}" in middle
    page.move_mouse(1, 1)
    assert readout(page).startswith("at 20,000 steps")
    point_at(page, 0.9, page.touch)
    assert 16_000 < int(readout(page).split()[1].replace(",", "")) < 19_000
    page.run("document.querySelector('#chart svg').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
    assert readout(page).startswith("at 19,800 steps")


def test_metric_and_axis_can_be_chosen(show, group):
    page = show(group)
    names = page.run("[...document.querySelectorAll('select')].map((list) => [...list].map((each) => each.text))")
    assert names[0] == ["rollout/ep_rew_mean", "rollout/episodes", "time/time_elapsed", "train/policy_loss"]
    assert names[1] == ["steps", "time"]
    choose(page, 1, 1)
    assert readout(page).startswith("at 0:00:40 ")
    assert page.run("document.querySelectorAll('.plot .mean, .plot .band').length") == 2
    choose(page, 0, 3)
    assert "seed1 0.025" in readout(page)
    assert page.run("document.getElementById('metric').textContent") == "train/policy_loss"
    assert page.run("document.querySelectorAll('.plot .mean, .plot .band').length") == 0


def test_nothing_that_a_run_directory_holds_is_run(show, tmp_path):
    name = EVIL.replace("/", "")
    run = write_run(tmp_path / name, overrides={"env.id": EVIL}, events=[EVIL])
    write_metrics(run, ["steps", EVIL, f"{EVIL}2"], [(1, 2.0, 1.0), (2, 3.0, 1.0)])
    runtime = some_checkpoint(1).runtime.model_copy(update={"processor": EVIL})
    write_checkpoint(run, 3000, 30.0, runtime=runtime, approximate=(EVIL,))
    (run / "run.json").write_text(json.dumps({"preset": EVIL, "status": "failed", "reason": EVIL}))
    page = show(run)
    choose(page, 0, 1)
    point_at(page, 0.5, page.move_mouse)
    assert page.run("typeof hacked") == "undefined"
    assert page.run("document.querySelectorAll('main img, main script, main style').length") == 0
    assert page.run("document.getElementById('metric').textContent") == f"{EVIL}2"
    assert EVIL in page.run("document.getElementById('events').textContent")
    assert name in readout(page)


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_never_scrolls_sideways(width, show, group, tmp_path):
    for path in (group, write_run(tmp_path / ("x" * 100), overrides={"env.id": "Long-" * 40}, events=["y" * 900])):
        page = show(path, width=width, height=740, mobile=width < 500)
        assert page.run("document.documentElement.scrollWidth") == width
        shown = page.run("getComputedStyle(document.querySelector('.plot text')).fontSize")
        assert shown == "12px"
        assert page.run("document.querySelector('#chart svg').viewBox.baseVal.width") == page.run(
            "document.getElementById('chart').clientWidth"
        )


def test_dark_mode_and_print_have_their_colours(show, group):
    colours = (
        "['body', '.plot .line0', 'h1'].map((each) => { const style = getComputedStyle(document.querySelector(each));"
    )
    colours += "return style[each.startsWith('.') ? 'stroke' : each === 'body' ? 'backgroundColor' : 'color']; })"
    light = show(group).run(colours)
    dark = show(group, dark=True).run(colours)
    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(light, dark, strict=True))
    assert show(group, dark=True, media="print").run(colours) == light


def test_printing_opens_all_sections(show, group):
    page = show(group)
    page.run(
        "addEventListener('beforeprint', () => { opened = document.querySelectorAll('details:not([open])').length })"
    )
    assert page.pdf().startswith(b"%PDF")
    assert page.run("opened") == 0
    assert page.run("document.querySelectorAll('details[open]').length") == 0


def test_without_its_script_the_page_shows_a_curve(show, page, group):
    page.allow_scripts(False)
    try:
        show(group)
    finally:
        page.allow_scripts(True)
    assert page.run("document.querySelectorAll('#chart .curve').length") == 4
    assert page.run("document.querySelector('#choices').hidden") is True
