# Commands with extreme, contradictory and wrong arguments.

### wrong-options: values that no option takes
# exit 0
# at most 3 lines
# at most 240 seconds
trained
refused train --preset cartpole --seed abc
refused train --preset cartpole --seed -1
refused train --preset cartpole --seed 99999999999999999999999
refused train --preset cartpole --seed ''
refused train --preset cartpole --device tpu
refused train --preset cartpole --total-steps many
refused train --preset cartpole --total-steps -5
refused train --preset cartpole --total-steps 0
refused train --preset cartpole --total-steps .nan
refused train --preset cartpole --total-steps .inf
refused train --preset cartpole --total-steps '[1]'
refused train --preset cartpole --total-steps '{a: 1}'
refused train --preset cartpole --num-envs 1.5
refused train --preset cartpole --num-envs 0
refused train --preset cartpole --num-envs 99999999
refused train --preset cartpole --num-workers some
refused train --preset cartpole --num-workers -1
refused train --preset cartpole --num-workers 99999
refused train --preset cartpole --num-workers null
refused train --preset cartpole --algorithm a3c
refused train --preset cartpole --algorithm no_such:Agent
refused train --preset cartpole --algorithm :
refused train --preset no-such
refused train --preset ''
refused train --preset /
refused train --preset ..
refused train --preset /dev/null
refused train --preset /dev/zero
refused train --preset /proc/self/mem
refused train
refused train --no-such-option
refused eval
refused eval run extra
refused eval run --episodes 0
refused eval run --episodes x
refused eval run --episodes 1e3
refused eval run --seed -1
refused eval run --seed 99999999999999999999
refused record x.mp4 --checkpoint run --fps nan
refused record x.mp4 --checkpoint run --fps 0
refused record x.mp4 --checkpoint run --seconds -1
refused record x.mp4 --checkpoint run --seconds inf
refused plot
refused plot run --out
refused verify
refused bench
refused bench everything
refused bench train --seconds 0
refused bench train --seconds nan
refused presets show no-such
refused presets copy pong
refused presets validate /dev/zero
refused no-such-command
refused --no-such-option
exit $all_refused

### set-extremes: --set with what nobody means
# exit 0
# at most 3 lines
# at most 240 seconds
set_refused "a$(printf '.%.0s' {1..1500})=1"
set_refused "$(printf '.%.0s' {1..1500})=1"
set_refused "seed=$(printf '9%.0s' {1..5000})"
set_refused "seed=$(printf '[%.0s' {1..5000})"
set_refused =
set_refused a
set_refused seed
set_refused =1
set_refused seed=
set_refused seed.x=1
set_refused .=1
set_refused seed..x=1
set_refused ''
set_refused x=1
set_refused 'seed=!!python/object/apply:os.system [ls]'
set_refused 'seed=*a'
set_refused 'seed=[1,'
set_refused 'seed=1e400'
set_refused 'seed=.nan'
set_refused 'seed=0x'
set_refused 'seed=2001-01-01'
set_refused 'seed=true'
set_refused 'seed=1.5'
set_refused 'seed=null'
set_refused 'network.hidden_sizes=[]'
set_refused 'network.hidden_sizes=64'
set_refused 'network.hidden_sizes=[0]'
set_refused 'network.hidden_sizes=[1e9]'
set_refused 'network.torsos={a: mlp}'
set_refused 'network=null'
set_refused 'algorithm=null'
set_refused 'env=3'
set_refused 'training=[]'
set_refused 'algorithm={name: 3}'
set_refused 'env.kwargs=[1]'
set_refused 'env.kwargs={1: 2}'
set_refused 'env.kwargs={a: .inf}'
set_refused 'env.kwargs={a: 2001-01-01}'
set_refused 'env.resize=[1]'
set_refused 'env.frame_stack=0'
set_refused 'algorithm.gamma=2'
set_refused 'algorithm.num_steps=0'
set_refused 'algorithm.learning_rate=-1'
set_refused 'algorithm.optimizer={name: sgd}'
set_refused 'sampling.worker_timeout=0'
set_refused 'sampling.worker_timeout=1e9'
set_refused 'sampling.max_restarts=-1'
set_refused 'training.keep_checkpoints=0'
set_refused $'seed=\xff'
set_refused $'se\x1b[31med=1'
set_refused $'seed=\u202e1'
set_refused 'größe=1'
set_refused "seed=$(head -c 100000 /dev/zero | tr '\0' 1)"
exit $all_refused

### not-a-run: commands on what is no run
# exit 0
# at most 3 lines
# at most 240 seconds
mkdir empty; touch file; mkfifo pipe
for path in '' missing empty /dev/null /dev/zero /proc/self file pipe $'\xff' "$(printf 'x%.0s' {1..5000})"; do
  refused eval "$path"
  refused plot "$path"
  refused verify "$path"
  refused record x.mp4 --checkpoint "$path"
done
exit $all_refused

### odd-presets: presets that are none
# exit 0
# at most 3 lines
# at most 240 seconds
touch empty.yaml
head -c 9999 /dev/urandom >binary.yaml
printf 'env: {id: caf\xe9}' >latin.yaml
echo '[1, 2]' >list.yaml
printf 'env:\n\tid: x' >tabs.yaml
truncate -s 6G huge.yaml
printf '[%.0s' {1..20000} >deep.yaml
printf 'seed: 1\nseed: 2' >twice.yaml
printf 'a: &a [1]\nb: *a' >alias.yaml
mkfifo pipe.yaml
mkdir dir.yaml
ln -s loop.yaml loop.yaml
for preset in *.yaml; do
  refused presets validate $preset
  refused train --run-dir x --preset $preset
done
exit $all_refused

### preset-with-bom: a preset with a byte-order mark and Windows line ends
# exit 0
# at most 200 lines
(printf '\xef\xbb\xbf'; paac presets show cartpole | sed 's/$/\r/') >my.yaml; paac presets validate my.yaml

### preset-to-odd-places: a preset is copied to where it cannot be
# exit 0
# at most 3 lines
touch there
for path in there /dev/full /proc/x . ''; do refused presets copy pong "$path"; done
exit $all_refused

### videos-to-odd-places: videos where they cannot be
# exit 0
# at most 3 lines
# at most 240 seconds
trained; mkdir dir.mp4
refused record x.xyz --checkpoint run
refused record x --checkpoint run
refused record dir.mp4 --checkpoint run
refused record /dev/full --checkpoint run
refused record /proc/x.mp4 --checkpoint run
refused record '' --checkpoint run
refused record "$(printf "x%.0s" {1..300}).mp4" --checkpoint run
exit $all_refused

### plots-to-odd-places: plots where they cannot be
# exit 0
# at most 3 lines
# at most 240 seconds
trained; mkdir dir.png
refused plot run --out x.xyz
refused plot run --out x
refused plot run --out dir.png
refused plot run --out /dev/full
refused plot run --out /proc/x.png
refused plot run --out ''
refused plot run --out "$(printf "x%.0s" {1..300}).png"
exit $all_refused

### plot-svg-and-pdf: plots of all kinds, of one run twice
# exit 0 or 2
# at most 12 lines
trained; paac plot run run --out x.svg && paac plot run --out x.pdf && paac plot run/ ./run --out x.PNG

### help-everywhere: --help of every command
# exit 0
# at most 0 lines
for command in '' train eval record verify plot bench presets 'presets list' 'presets copy'; do
  paac $command --help >/dev/null || exit 9
done

### run-dir-like-option: a run directory that begins with a dash
# exit 0 or 2
# at most 30 lines
train --run-dir -x && paac eval -- -x && paac plot -- -x

### arguments-with-escapes: codes for the terminal in arguments
# exit 2
# at most 24 lines
paac eval $'\x1b[31mred\x07'
paac train --preset $'\x1b[2J'
paac $'\x1b[2J'
paac train --preset cartpole --env $'\x1b[31m'

### fresh-inside-run: --fresh from inside the run
# exit 2
# output current directory
trained; cd run && "${TRAIN[@]}" --run-dir . --fresh

### fresh-many-times: --fresh when old runs are there
# exit 0
trained; mkdir run.old-1; touch run.old-2; train --fresh && test -d run.old-3 && play

### other-config: another algorithm in the directory of a run
# exit 2
# output algorithm.name
# output --fresh
# at most 40 lines
trained; train --algorithm ppo --total-steps 640

### trained-already: a run that is trained already
# exit 0
# output already trained
trained; train
