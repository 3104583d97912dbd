# Begins the script of every case. `train` takes a few seconds; $ENV names its environment. $RUN is a finished run of
# CartPole. Each case has a directory and a mount namespace of its own.
set -o pipefail
[ $UNSHARED = no ] || mount --bind "$SHM" /dev/shm
ENV=CartPole-v1
TRAIN=(paac train --preset cartpole --num-envs 2 --num-workers 2 --total-steps 320 --device cpu --run-dir run
  --set algorithm.num_steps=8 --set training.log_every=64 --set training.checkpoint_every=160
  --set training.stop_when=null --set sampling.worker_timeout=4)
train() { "${TRAIN[@]}" --env "$ENV" "$@"; }
play() { paac eval run --trust-code --episodes 2 "$@"; }
record() { paac record video.mp4 --checkpoint run --trust-code "$@"; }
training() {  # OPTIONS: train in the background, as process group $pid; returns when there are metrics
  set -m
  "${TRAIN[@]}" --env "$ENV" --total-steps 6400 "$@" &
  pid=$!
  until [ -s run/metrics.csv ]; do sleep 0.05; kill -0 $pid || exit 99; done
}
ended() {  # wait for the end of `training`, also after it was stopped
  while kill -0 $pid 2>/dev/null; do sleep 0.1; done
  wait $pid
}
train_until() {  # SIGNAL OPTIONS: send SIGNAL to all processes of a training, as a terminal does, and wait for its end
  training --total-steps 1_000_000 "${@:2}"
  kill "-$1" -- "-$pid"
  wait $pid
}
trained() { cp -r "$RUN" "${1:-run}"; }  # a finished run of CartPole
tampered() {  # CHANGES: a finished run, changed by an attacker
  trained
  python -m chaos.zoo.tamper run "$@" || exit 98
}
ESCAPES='"\u001b[31mred\u001b[0m\u0007\u202e"'  # codes for the terminal, in JSON
X=$(printf 'x%.0s' {1..120})
hijackers() {  # DIRECTORY: modules there that are named like those of libraries
  local name
  for name in cv2 numpy multiprocessing random queue socket json threading yaml click pydantic tensorflow site; do
    echo 'import os; os.write(2, b"hijacked\n"); os._exit(66)' >"$1/$name.py"
  done
}
evil_module() { echo 'import os; os.write(2, b"hijacked\n")' >evil.py; }
all_refused=0
refused() {  # ARGUMENTS: `paac` must refuse them with exit code 2 and a message
  timeout 60 paac "$@" >log 2>&1
  local code=$?
  if [ $code != 2 ] || grep -q Traceback log || [ "$(wc -l <log)" -gt 20 ]; then
    all_refused=1
    echo "exit code $code: paac $*" | cut -c1-200
    tail -3 log | cut -c1-300
  fi
}
set_refused() { refused train --preset cartpole --run-dir x --set "$1"; }
on_terminal() { script --quiet --return --command "$(printf '%q ' "$@")" /dev/null; }
skip() { echo "skipped: $1"; exit 77; }
with_functions() {  # COMMAND SCRIPT: run `COMMAND bash` with this prelude's functions and SCRIPT
  "${@:1:$#-1}" bash -c "$(declare -p TRAIN ENV); $(declare -f train play record); ${!#}"
}
powerless() {  # SCRIPT: without the right of root to write everywhere
  [ $UID = 0 ] || { eval "$1"; return; }
  with_functions setpriv --bounding-set=-all --inh-caps=-all "$1"
}
as_nobody() {  # SCRIPT: as a user without rights
  local user=(setpriv --reuid=65534 --clear-groups)
  [ $UID = 0 ] && "${user[@]}" bash -c "paac --version" >/dev/null 2>&1 || skip "needs root and a Python for everybody"
  chmod 777 .
  with_functions "${user[@]}" "$1"
}
unshared() { [ $UNSHARED = yes ] || skip "needs root"; eval "$1"; }  # SCRIPT: may mount
mounted() { mkdir disk; unshared "mount -t tmpfs -o size=$1 tmpfs disk"; }  # SIZE
quota_v2() {  # TEXT: a control group of version 2 with this CPU quota
  unshared "mount -t tmpfs tmpfs /sys/fs/cgroup"
  echo "$1" >/sys/fs/cgroup/cpu.max; echo cpu >/sys/fs/cgroup/cgroup.controllers
}
quota_v1() {  # MICROSECONDS: a control group of version 1 with this CPU quota
  unshared "mount -t tmpfs tmpfs /sys/fs/cgroup; mkdir /sys/fs/cgroup/cpu"
  echo "$1" >/sys/fs/cgroup/cpu/cpu.cfs_quota_us; echo 100000 >/sys/fs/cgroup/cpu/cpu.cfs_period_us
}
