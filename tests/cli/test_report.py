"""`paac report` of real trainings."""

import html
import re
import shlex

from short_runs import TOTAL_STEPS, contents, final_state


def test_a_trained_run_and_its_video_are_reported(trained_copy, invoke):
    result = invoke("report", trained_copy)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{trained_copy / 'report.html'} (")
    assert result.stderr == (
        f"The report shows no video. {trained_copy / 'videos'} has no video yet. "
        f"To make one: paac record --checkpoint {trained_copy} --overlay\n"
    )
    assert invoke("record", "--checkpoint", trained_copy, "--seconds", 0.1).exit_code == 0
    result = invoke("report", trained_copy)
    assert result.stderr == ""
    page = (trained_copy / "report.html").read_text()
    assert '<video src="data:video/mp4;base64,' in page
    assert f"<dd>{TOTAL_STEPS:,}</dd>" in page
    assert "Preset <code>cartpole</code>, but for the seed and:" in page
    assert "--set algorithm.num_steps=16" in re.sub(r" \\\n *", " ", page)
    assert "<strong>Exact. </strong>" in page
    assert "<dt>tensorflow</dt>" in page


def test_a_report_changes_nothing_in_the_run_and_the_run_resumes(trained_copy, invoke, paac, tmp_path):
    before = contents(trained_copy)
    assert invoke("report", trained_copy, "--out", "new/report.html").exit_code == 0
    assert contents(trained_copy) == before
    assert (tmp_path / "new" / "report.html").is_file()
    assert invoke("report", trained_copy).exit_code == 0
    more = ["--total-steps", TOTAL_STEPS + 64, "--run-dir", trained_copy]
    result = paac("train", "--preset", trained_copy / "config.yaml", *more)
    assert result.returncode == 0, result.stderr


def test_a_page_that_cannot_be_written_is_an_error(trained_copy, invoke):
    (trained_copy / "report.html").mkdir()
    result = invoke("report", trained_copy)
    assert result.exit_code == 2
    page = trained_copy / "report.html"
    assert result.stderr == f"Error: {page} cannot be written: Is a directory; --out names another file\n"


def test_the_command_on_the_page_trains_the_same_run_again(trained, invoke, paac, tmp_path):
    assert invoke("report", trained, "--out", "report.html").exit_code == 0
    page = (tmp_path / "report.html").read_text()
    command = html.unescape(re.search(r"<code>(paac train .*?)</code>", page, re.DOTALL)[1])
    _, *arguments = shlex.split(command.replace("\\\n", ""))
    result = paac(*arguments, "--num-workers", 1, "--run-dir", tmp_path / "again")
    assert result.returncode == 0, result.stderr
    assert final_state(tmp_path / "again") == final_state(trained)
