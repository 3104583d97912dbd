"""Runs the cases of a zoo, and compares what a user sees with what a user should see."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos.result import TrialResult
from chaos.session import default_signals, wait_for
from chaos.zoo.case import Case

_ROOT = Path(__file__).resolve().parents[2]  # of the repository: environments are imported from there
_PRELUDE = Path(__file__).with_name("prelude.sh").read_text()
_LANES = 2  # cases at a time
_END_TIMEOUT = 8.0  # seconds after which no process of a case may be left
_SKIPPED = 77  # exit code of a case that this machine does not allow
_MARK = "PAAC_ZOO_CASE"  # environment variable that marks the processes of a case, also those of other sessions
_OUR_TRACEBACK = re.compile(r'File "[^"]*paac_cli/[^"]*", line \d+, in ')
_TERMINAL_CODE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e]")
_GYMNASIUM_WARNING = re.compile("\x1b\\[3[13]m(?:WARN|ERROR): .*?\x1b\\[0m", re.DOTALL)  # always coloured
_TAIL = 12  # lines of output in the note of a failure
_OUTPUT_LIMIT = 20_000_000  # bytes that are read of an output


def run_zoo(description: str, cases: Sequence[Case], only: str = "", run: Path | None = None) -> TrialResult:
    """Run `cases`, two at a time, and count those with another outcome than expected.

    only: names of cases to run, separated by commas; all if empty. run: a finished run of CartPole.
    """
    names = [name for name in only.split(",") if name]
    unknown = set(names) - {case.name for case in cases}
    if unknown:
        raise ValueError(f"unknown cases: {', '.join(sorted(unknown))}")
    chosen = [case for case in cases if not names or case.name in names]
    begin = time.monotonic()
    with TemporaryDirectory(prefix="paac-zoo-") as work, ThreadPoolExecutor(_LANES) as lanes:
        notes = list(lanes.map(lambda case: run_case(case, Path(work), run), chosen))
    skipped = {case.name: note for case, note in zip(chosen, notes, strict=True) if note and note.startswith("skipped")}
    failures = [note for note in notes if note and note not in skipped.values()]
    summary = f"cases: {', '.join(case.name for case in chosen if case.name not in skipped)}"
    notes = [summary, *(f"{name} was {note}" for name, note in skipped.items()), *failures]
    return TrialResult(description, len(chosen) - len(skipped), len(failures), time.monotonic() - begin, tuple(notes))


def run_case(case: Case, work: Path, run: Path | None = None) -> str | None:
    """Run `case` in a new directory in `work`, with the finished `run`.

    Returns what differs from its expected outcome, "skipped: ..." if this machine does not allow it, otherwise None.
    """
    here, temporary, shared = work / case.name, work / f"{case.name}.tmp", work / f"{case.name}.shm"
    for directory in (here, temporary, shared):
        directory.mkdir()
    mark, begin = secrets.token_hex(8), time.monotonic()
    variables = _environment(run) | {"TMPDIR": str(temporary), "SHM": str(shared), _MARK: mark}
    with (work / f"{case.name}.out").open("w+b") as output, _started(case, here, variables, output) as process:
        code: int | None = None
        problems: list[str] = []
        try:
            code = process.wait(case.expected.seconds)
            problems = [*_leftovers(mark, (temporary, shared), here)]
        except subprocess.TimeoutExpired:
            pass
        finally:
            _kill(mark)
        output.seek(0)
        text = output.read(_OUTPUT_LIMIT).decode(errors="replace")
    if code == _SKIPPED:
        return text.splitlines()[-1]
    problems = [*_differences(case, code, text), *problems]
    if not problems:
        return None
    tail = "\n".join(line[:300] for line in text.splitlines()[-_TAIL:])
    took = f"{time.monotonic() - begin:.0f} s"
    return _TERMINAL_CODE.sub("?", f"{case.name} ({case.what}), {took}: {'; '.join(problems)}\n{tail}".rstrip())


def _started(case: Case, here: Path, variables: dict[str, str], output: object) -> subprocess.Popen[bytes]:
    """The process of `case`, in a session of its own.

    Where that is allowed, it has its own mounts: the script may mount file systems, and $SHM stands for /dev/shm.
    """
    unshare = ["unshare", "--mount"] if _may_unshare() else []
    return subprocess.Popen(
        [*unshare, "bash", "-c", _PRELUDE + case.script],
        cwd=here,
        env=variables | {"UNSHARED": "yes" if unshare else "no"},
        stdin=subprocess.DEVNULL,
        stdout=output,  # type: ignore[arg-type]
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=default_signals,
    )


def _may_unshare() -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
    return False


def _differences(case: Case, code: int | None, text: str) -> Iterator[str]:
    """What differs from the expected exit code and output. code: None if the case did not end."""
    expected, folded = case.expected, text.lower()
    if code is None:
        yield f"still running after {expected.seconds:g} s"
    elif code not in expected.codes:
        yield f"exit code {code}, expected {' or '.join(map(str, expected.codes))}"
    for words in expected.words:
        if not any(word.lower() in folded for word in words.split("|")):
            yield f"the output does not contain {words!r}"
    for word in expected.without:
        if word.lower() in folded:
            yield f"the output contains {word!r}"
    if found := _OUR_TRACEBACK.search(text):
        yield f"the output contains a traceback of paac: {found[0]}"
    if found := _TERMINAL_CODE.search(_GYMNASIUM_WARNING.sub("", text)):
        yield f"the output contains the control character {found[0]!r}"
    if (lines := text.count("\n")) > expected.lines:
        yield f"{lines} lines of output, expected at most {expected.lines}"


def _leftovers(mark: str, empty: tuple[Path, ...], here: Path) -> Iterator[str]:
    """What remains of a case after its end. empty: its directories that must be empty then."""

    def files() -> list[Path]:
        return sorted(path for directory in empty for path in directory.iterdir())

    wait_for(lambda: not _processes(mark) and not files(), _END_TIMEOUT)
    for pid, command in _processes(mark).items():
        yield f"process {pid} is still alive: {command[:80]}"
    for path in [*files(), *sorted(here.rglob("*.partial"))]:
        yield f"left behind: {path.relative_to(here.parent)}"


def _processes(mark: str) -> dict[int, str]:
    """Process id -> command of the live processes that have inherited `mark`."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended, or belongs to somebody else
            if f"{_MARK}={mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def _kill(mark: str) -> None:
    """Kill the processes that have inherited `mark`, also those that they start meanwhile."""

    def all_dead() -> bool:
        alive = _processes(mark)
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not alive

    wait_for(all_dead, _END_TIMEOUT)  # one that waits for a disk may need longer


def _environment(run: Path | None) -> dict[str, str]:
    """The environment variables of a case: `paac`, the zoo's modules and the finished run are found."""
    python_path = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    binaries = [str(Path(sys.executable).parent), os.environ["PATH"]]
    found = {"PYTHONPATH": os.pathsep.join(python_path), "PATH": os.pathsep.join(binaries)}
    return {**os.environ, **found} | ({"RUN": str(run)} if run else {})
