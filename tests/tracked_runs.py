"""A run with a tracker that is killed between two checkpoints and then resumed, so that some rows come twice."""

import signal

from chaos.session import Recipe, Session
from run_paac import environment, paac
from short_runs import QUICK, checkpoint_names, logged_steps, steps_in

TOTAL_STEPS = 6_400


def train_with(tracker, run_dir, variables, has_rows):
    """Returns (the step at which it resumed, steps of the rows of the killed session, what the second one printed).

    has_rows: whether the tracker has recorded some; then the first session is killed.
    """
    arguments = (*QUICK, "--set", f"training.trackers=[{tracker}]", "--total-steps", str(TOTAL_STEPS))
    env = environment() | variables
    with Session(Recipe(tracker, (*arguments, "--total-steps", "1000000")), run_dir, env=env) as session:
        session.wait_for_checkpoint()
        session.wait_until(has_rows)
        newest = len(logged_steps(run_dir))
        session.wait_for_rows(newest + 2)
        session.send(signal.SIGKILL)
        session.wait(20)
    before = logged_steps(run_dir)
    resumed_at = steps_in(checkpoint_names(run_dir)[-1])
    done = paac("train", *arguments, "--total-steps", max(TOTAL_STEPS, resumed_at + 640), "--run-dir", run_dir, env=env)
    return resumed_at, before, done.stdout + done.stderr
