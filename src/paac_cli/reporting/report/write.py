"""Writes the report of a run, or of a group of runs that differ in their seeds."""

from datetime import UTC, datetime
from pathlib import Path

from paac_cli.errors import RunDirectoryError, VideoError
from paac_cli.files import make_directory, replace_synced
from paac_cli.reporting.report.embedded_video import (
    MAX_FOUND,
    EmbeddedVideo,
    NoVideo,
    newest_video,
    read_video,
    video_command,
)
from paac_cli.reporting.report.page import Subject, make_page
from paac_cli.reporting.report.results import result_of
from paac_cli.reporting.series import sort_into_series
from paac_cli.runs.saved_run import SavedRun, read_runs
from paac_cli.text import reason

_MAX_NAMES = 3


def read_group(path: Path) -> list[SavedRun]:
    """The run at `path`, or the runs below it in the order of their seeds; they must form one series.

    Raises RunDirectoryError, also if they differ in more than their seeds, and ConfigError.
    """
    series = sort_into_series(read_runs([path]))
    if len(series) > 1:
        names = "; ".join(f"{one.label} on {one.game}" for one in series[:_MAX_NAMES])
        more = ", ..." if len(series) > _MAX_NAMES else ""
        raise RunDirectoryError(
            f"{path} holds runs that differ in more than their seeds: {names}{more}; give one run, or a group that "
            "`paac train --seeds` has made. `paac compare` compares other runs"
        )
    return series[0].runs


def write_report(path: Path, out: Path, video: Path | None) -> str:
    """Write the report of the run or group at `path` to `out`.

    Returns why it has no video, and how to make one; empty if it has one.

    video: a video to embed in place of the newest one of the best run. Raises RunDirectoryError, ConfigError and
    VideoError.
    """
    given = None if video is None else read_video(video)
    runs = read_group(path)
    results = [result_of(run) for run in runs]
    names = [runs[0].name] if len(runs) == 1 else [str(run.path.relative_to(path)) for run in runs]
    subject = Subject(path, runs, names, results)
    embedded = given or _find_video(subject.best)
    page = make_page(subject, embedded, datetime.now(UTC))
    try:
        make_directory(out.parent)
        replace_synced(out, [page.encode(errors="backslashreplace")])
    except OSError as error:
        raise RunDirectoryError(f"{out} cannot be written: {reason(error, out)}; --out names another file") from error
    return str(embedded) if isinstance(embedded, NoVideo) else ""


def _find_video(run: SavedRun) -> EmbeddedVideo | NoVideo:
    """The newest video of `run`, or why it cannot be embedded."""
    try:
        path = newest_video(run)
        if path is None:
            return NoVideo(f"{run.path / 'videos'} has no video yet.", video_command(run))
        if path.stat().st_size > MAX_FOUND:
            size = f"{path.stat().st_size / 1e6:,.0f} MB"
            return NoVideo(f"{path} is not embedded, because it has {size}; --video embeds it all the same.")
        return read_video(path, MAX_FOUND)
    except (OSError, VideoError) as error:
        return NoVideo(f"The newest video cannot be embedded: {error}.", video_command(run))
