"""Standard output kept for results, in a process with streams of its own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, subprocess
from paac_cli.standard_output import kept_for_results, results, results_descriptor

def speak(when):
    print("Python", when, flush=True)
    os.write(1, f"C {when}\\n".encode())
    subprocess.run(["echo", "program", when])
    print("result", when, file=results(), flush=True)
    subprocess.run(["echo", "result of a program", when], stdout=results_descriptor())

speak("before")
with kept_for_results():
    speak("inside")
    with kept_for_results():
        speak("further inside")
speak("after")
"""


def test_only_results_reach_standard_output():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    def printed(*who, when):
        return [f"{one} {when}" for one in who]

    results, others = ("result", "result of a program"), ("Python", "C", "program")
    assert done.stdout.splitlines() == [
        *printed(*others, *results, when="before"),
        *printed(*results, when="inside"),
        *printed(*results, when="further inside"),
        *printed(*others, *results, when="after"),
    ]
    assert done.stderr.splitlines() == [*printed(*others, when="inside"), *printed(*others, when="further inside")]


def test_a_failed_result_is_reported_once_and_standard_output_is_restored():
    program = (
        "import sys\n"
        "from paac_cli.standard_output import kept_for_results, results\n"
        "with kept_for_results():\n"
        "    try:\n"
        "        print('result', file=results(), flush=True)\n"
        "    except OSError as error:\n"
        "        print(error)\n"
        "print(sys.stdout.fileno(), file=sys.stderr)\n"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=True
        )
    assert done.stderr == "[Errno 28] No space left on device\n1\n"
