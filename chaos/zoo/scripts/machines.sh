# Commands with odd standard streams and limits of the machine.

### ascii-streams: ASCII streams and a run directory with umlauts
# exit 0
export LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0 PYTHONIOENCODING=ascii
d=größe
train --run-dir $d && paac eval $d --episodes 2 && paac plot $d && paac verify $d && paac record --checkpoint $d

### ascii-errors: ASCII streams and a missing run with umlauts
# exit 2
# output run directory nor a checkpoint
export LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0; paac eval größe

### eval-to-full-disk: standard output is a full disk
# exit 1 or 2
# output space
trained; play >/dev/full

### eval-json-to-full-disk: standard output is a full disk
# exit 1 or 2
# output space
trained; play --json >/dev/full

### commands-to-full-disk: standard output of short commands is a full disk
# exit 0
# output space
# no output BAD
# at most 30 lines
trained
for command in 'presets list' 'presets schema' 'presets show pong' --version --help 'verify run --json' 'plot run'; do
  paac $command >/dev/full
  case $? in 1 | 2) ;; *) echo "BAD $command" ;; esac
done

### train-to-full-disk: standard output and error of a training are a full disk
# exit 0
train >/dev/full 2>&1; test -d run/checkpoints

### closed-streams: all standard streams are closed
# exit 0
train <&- >&- 2>&- && play <&- >out; grep -q mean out

### closed-output: standard output is closed
# exit 0 or 1 or 2
# at most 14 lines
trained; play >&-; code=$?; paac presets list >&-; exit $code

### broken-pipe: the reader of standard output ends
# exit 0
trained
for command in 'presets list' 'presets schema' 'eval run --episodes 2' 'plot run' 'verify run'; do
  paac $command | true
done
train --total-steps 480 2>&1 | head -1
test -d run/checkpoints/step_000000480

### input-is-pipe: standard input is a pipe that never ends
# exit 0
mkfifo pipe; train 0<>pipe && play 0<>pipe

### terminal-narrow: a terminal of one column
# exit 0
COLUMNS=1 LINES=1 on_terminal "${TRAIN[@]}" >out && test -d run/checkpoints

### terminal-dumb: a dumb terminal
# exit 0
TERM=dumb on_terminal "${TRAIN[@]}" >out && test -d run/checkpoints

### terminal-unknown: a terminal of an unknown type
# exit 0
TERM=no-such on_terminal "${TRAIN[@]}" >out && test -d run/checkpoints

### memory-limit: ulimit -v 1000000
# exit 2
# output memory
trained; ulimit -v 1000000; train --run-dir other; test $? = 2 && play

### memory-limit-tiny: ulimit -v 200000
# exit 0
# at most 30 lines
trained
ulimit -v 200000
for command in 'presets list' 'presets validate pong' 'eval run' 'plot run'; do
  paac $command >/dev/null
done
true

### memory-limit-4gb: ulimit -v 4000000
# exit 0 or 2
# at most 14 lines
ulimit -v 4000000; train

### open-files-64: ulimit -n 64
# exit 0 or 2
ulimit -n 64; train && play

### open-files-24: ulimit -n 24
# exit 2
# output open files
ulimit -n 24; train

### open-files-many-workers: more workers than open files allow
# exit 2
# output open files
# output num_workers
ulimit -n 100; train --num-envs 200 --num-workers 200

### stack-limit: ulimit -s 512
# exit 0 or 1 or 2
# at most 20 lines
ulimit -s 512; train && play

### core-limit: one core by affinity
# exit 0
# output on 1 worker
taskset -c 0 "${TRAIN[@]}" --num-workers auto

### quota-v2: a quota of one core by cgroup v2
# exit 0
# output on 1 worker
quota_v2 '100000 100000'; train --num-envs 8 --num-workers auto

### quota-v1: a quota of one core by cgroup v1
# exit 0
# output on 1 worker
quota_v1 100000; train --num-envs 8 --num-workers auto

### quota-none: a cgroup without a quota
# exit 0
# output worker
quota_v2 'max 100000'; train --num-envs 8 --num-workers auto

### quota-garbage: a cgroup whose quota is nonsense
# exit 0
quota_v2 'many -1'; train

### processes-limit: ulimit -u 3 for another user
# exit 1 or 2
# at most 20 lines
as_nobody 'ulimit -u 3; train'

### shared-memory-unwritable: /dev/shm is read-only
# exit 0
unshared 'mount -t tmpfs -o ro tmpfs /dev/shm'; train && play

### proc-missing: there is no /proc/cpuinfo and /proc/meminfo
# exit 0
unshared 'touch empty; for f in cpuinfo meminfo; do mount --bind empty /proc/$f; done'; train && play
