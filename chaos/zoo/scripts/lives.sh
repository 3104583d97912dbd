# What happens to a run while it is trained, evaluated and read.

### lock-removed: the lock file of a training is removed
# exit 0
# no output moved or deleted
training
rm -f run/.lock; wait $pid

### lock-removed-then-second: the lock file is removed, and a second training starts
# exit 2
# output another process
# at most 40 lines
training --total-steps 12800
rm -f run/.lock; train; code=$?; wait $pid || exit 96; exit $code

### two-trainings: two trainings in one directory
# exit 2
# output another process
# at most 40 lines
training --total-steps 12800
train; code=$?; wait $pid || exit 96; exit $code

### two-trainings-at-once: two trainings begin at the same time in one directory
# exit 0
# output another process
train & a=$!; train & b=$!; wait $a; a=$?; wait $b; b=$?; test $((a + b)) = 2 && play

### read-while-saving: a run is read while it saves, with one checkpoint kept
# exit 0
training --set training.keep_checkpoints=1 --set training.checkpoint_every=1 >log
until ls run/checkpoints/step_* >/dev/null 2>&1; do sleep 0.1; done
python - $pid <<'END'
import sys
from pathlib import Path
from paac_cli.runs.find import find_policy
warnings = []
reads = 0
while Path(f'/proc/{sys.argv[1]}').exists() and reads < 3000:
    find_policy(Path('run'), last=True, warn=warnings.append)
    find_policy(Path('run'), last=False, warn=warnings.append)
    reads += 2
if warnings or reads < 100:
    sys.exit(f'{reads} reads: {warnings[:1]}')
END
code=$?
wait $pid
exit $code

### eval-while-training: a run is evaluated, plotted and verified while it is trained
# exit 130
# at most 60 lines
training --total-steps 25600
play && paac plot run; paac verify run; kill -INT $pid; wait $pid

### directory-moved: the run directory is moved during a training
# exit 2
# output moved or deleted
# at most 40 lines
training --total-steps 64000
mv run moved; wait $pid

### directory-deleted: the run directory is deleted during a training
# exit 2
# output moved or deleted
# at most 40 lines
training --total-steps 64000
rm -rf run; wait $pid

### parent-moved: the directory above is moved during a training
# exit 0 or 2
mkdir a; cd a; training
mv ../a ../b; wait $pid; code=$?; test -s ../b/run/metrics.csv && exit $code

### metrics-deleted: metrics.csv is deleted during a training
# exit 0
training
rm run/metrics.csv; wait $pid && play

### checkpoints-deleted: all checkpoints are deleted during a training, perhaps during a save
# exit 0
training --total-steps 64000
rm -rf run/checkpoints
kill -TERM $pid
wait $pid
case $? in 2) ;; 143) play ;; *) false ;; esac

### stopped-and-continued: the learner is stopped for longer than the timeout of workers
# exit 0
# no output Restarted
training
kill -STOP $pid
sleep 7
kill -CONT $pid
ended

### group-stopped: all processes are stopped for longer than the timeout of workers, as with Ctrl-Z
# exit 0
# no output Restarted
training
kill -STOP -- -$pid
sleep 7
kill -CONT -- -$pid
ended

### hangup-with-nohup: the terminal is closed under nohup
# exit 0
TRAIN=(nohup "${TRAIN[@]}")
training
kill -HUP -- -$pid
wait $pid

### hangup: the terminal is closed
# exit 129
# output resume
# at most 60 lines
train_until HUP

### terminated-by-group: SIGTERM to all processes
# exit 143
# output resume
# at most 60 lines
train_until TERM

### requeued: SIGUSR1 to all processes
# exit 75
# output resume
# at most 60 lines
train_until USR1

### killed: SIGKILL to all processes, then a resume
# exit 0
train_until KILL 2>/dev/null
rm -rf "$TMPDIR"/pymp-*  # nobody is left to remove it
train --total-steps 640 && play

### stop-of-eval: Ctrl-C during paac eval
# exit 1 or 130
# at most 8 lines
trained; set -m; paac eval run --episodes 100000 >out & sleep 6; kill -INT -- -$!; wait $!

### stop-of-verify: SIGTERM during paac verify
# exit 0 or 143
# at most 8 lines
trained; set -m; paac verify run >out & sleep 4; kill -TERM -- -$!; wait $!

### fork-server-killed: the fork server is killed during a training
# exit 0
training
kill -9 $(pgrep -P $pid -f forkserver | head -1); wait $pid && play

### resource-tracker-killed: the resource tracker is killed during a training
# exit 0
training
kill -9 $(pgrep -P $pid -f resource_tracker | head -1); wait $pid

### resume-on-other-machine: a run is resumed with other threads and one core
# exit 0
# output Approximate
trained
export TF_ENABLE_ONEDNN_OPTS=0
taskset -c 0 "${TRAIN[@]}" --num-workers 1 --total-steps 640

### clock-in-the-past: files are from the future
# exit 0
trained; find run -exec touch -d 2100-01-01 {} +; train --total-steps 480 && play && paac record --checkpoint run

### file-times-odd: files are from 1970
# exit 0
trained; find run -exec touch -d @0 {} +; train --total-steps 480 && play
