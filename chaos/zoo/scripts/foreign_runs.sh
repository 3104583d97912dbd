# Commands on run directories that come from somebody else.

### own-modules-named-like-libraries: the current directory has files such as random.py and cv2.py
# exit 0
# no output hijacked
hijackers .
train && play && record && paac plot run

### inside-foreign-run: eval . inside a run with files such as cv2.py
# exit 0
# no output hijacked
trained; hijackers run
cd run && paac eval . --episodes 2 && paac plot . && paac verify .

### inside-foreign-run-trusted: eval . --trust-code inside a run with files such as cv2.py
# exit 0
# no output hijacked
trained; hijackers run
cd run && paac eval . --episodes 2 --trust-code

### foreign-algorithm: the config names an algorithm of somebody else
# exit 2
# output evil:Agent
# output --trust-code
# no output hijacked
tampered 'config/algorithm={"name": "evil:Agent"}'
evil_module
paac eval run

### foreign-environment: the config names an environment of somebody else
# exit 2
# output evil:Env-v0
# output --trust-code
# no output hijacked
tampered 'config/env/id="evil:Env-v0"'
evil_module
paac eval run; paac verify run; paac record video.mp4 --checkpoint run

### foreign-torso: the config names a torso of somebody else
# exit 2
# output evil:make
# output --trust-code
# no output hijacked
tampered 'config/network/torso="evil:make"'
evil_module
paac eval run

### foreign-code-behind-dotted-key: a key with a dot hides the nested one
# exit 2
# no output hijacked
# at most 20 lines
tampered 'config/algorithm={"name": "evil:Agent"}' 'config/algorithm.name="paac"'
evil_module
train --total-steps 480; paac eval run

### foreign-code-in-list: code is named by an entry of a list
# exit 2
# output evil:Env-v0
# output --trust-code
# no output hijacked
tampered 'config/env/id="evil:Env-v0"' 'config/env/kwargs={"id": ["evil:Env-v0", "x"]}'
evil_module
paac eval run

### plot-through-link: curve.png is a link to another file
# exit 0
trained; echo precious >victim; ln -s ../victim run/curve.png; paac plot run; grep -q precious victim

### video-through-link: the video is a link to another file
# exit 0
trained; echo precious >victim; ln -s victim video.mp4; record; grep -q precious victim

### video-through-partial-link: names that an unfinished video might have are links
# exit 0
trained
echo precious >victim
names='video.mp4.partial .video.mp4.partial video.partial.mp4 .video.partial.mp4 video.tmp.mp4 video.mp4.tmp .video.mp4'
for name in $names; do ln -s victim $name; done
record
rm -f *.partial .*.partial
grep -q precious victim

### resume-through-links: events.log and metrics.csv are links to other files
# exit 0
trained
for name in events.log metrics.csv; do echo precious >$name; ln -sf ../$name run/$name; done
train --total-steps 480
test "$(cat events.log metrics.csv)" = $'precious\nprecious'

### checkpoint-links-to-itself: a checkpoint is a link to its own directory
# exit 0
trained; ln -s . run/checkpoints/step_000009999; ln -s step_000009998 run/checkpoints/step_000009998
play

### run-is-link: the run is a link to a run
# exit 0
trained real; ln -s real run; play && paac plot run

### run-is-link-loop: the run is a link to itself
# exit 2
# output run
ln -s run run; play

### train-in-link-loop: the run directory is a link to itself
# exit 2
# output run
ln -s run run; train

### train-in-dangling-link: the run directory is a link to nothing
# exit 0
ln -s real run; train && test -d real/checkpoints

### metrics-sparse: metrics.csv has 6 GB
# exit 2
# output no metrics to plot
trained; truncate -s 6G run/metrics.csv
paac plot run

### metrics-sparse-verify: metrics.csv has 6 GB
# exit 2
# output metrics.csv
# at most 20 lines
trained; truncate -s 6G run/metrics.csv
paac verify run

### metrics-sparse-resume: metrics.csv has 6 GB
# exit 0 or 2
# output metrics.csv
trained; truncate -s 6G run/metrics.csv
train --total-steps 480

### metrics-long-line: metrics.csv is one line of 50 MB
# exit 2
# output no metrics to plot
trained; head -c 50000000 /dev/zero | tr '\0' , >run/metrics.csv
paac plot run

### metrics-pipe: metrics.csv is a pipe
# exit 2
# output metrics.csv
# at most 30 seconds
trained; rm run/metrics.csv; mkfifo run/metrics.csv
paac plot run

### metrics-device: metrics.csv is /dev/zero
# exit 2
# output metrics.csv
# at most 30 seconds
trained; ln -sf /dev/zero run/metrics.csv
paac plot run

### metrics-garbage: metrics.csv is binary
# exit 2
# output no metrics to plot
trained; head -c 5000 /dev/urandom >run/metrics.csv
paac plot run

### metrics-empty: metrics.csv is empty
# exit 2
# output metrics.csv | no metrics | nothing
trained; : >run/metrics.csv
paac plot run

### metrics-escapes: metrics.csv has codes for the terminal
# exit 2
# output no metrics to plot
trained; printf 'steps,\x1b[31mred,rollout/ep_rew_mean\n\x1b[2J,1,2\n' >run/metrics.csv
paac plot run

### manifest-pipe: the manifest is a pipe
# exit 2
# output manifest.json | checkpoint
# at most 30 seconds
trained; for d in run/checkpoints/*; do rm $d/manifest.json; mkfifo $d/manifest.json; done
play

### manifest-sparse: the manifest has 6 GB
# exit 2
# output manifest.json | checkpoint
# at most 30 seconds
trained; for d in run/checkpoints/*; do truncate -s 6G $d/manifest.json; done
play

### arrays-device: the arrays are /dev/zero
# exit 2
# output safetensors | checkpoint
# at most 30 seconds
trained; for f in run/checkpoints/*/*.safetensors; do ln -sf /dev/zero $f; done
play

### arrays-kernel-log: the arrays are the kernel's log
# exit 2
# output safetensors | checkpoint
# at most 30 seconds
trained; for f in run/checkpoints/*/*.safetensors; do ln -sf /proc/kmsg $f; done
play

### arrays-pipe: the arrays are pipes
# exit 2
# output safetensors | checkpoint
# at most 30 seconds
trained; for f in run/checkpoints/*/*.safetensors; do rm $f; mkfifo $f; done
train --total-steps 480

### config-device: config.yaml is /dev/zero
# exit 2
# output config.yaml
# at most 30 seconds
trained; ln -sf /dev/zero run/config.yaml
train --total-steps 480

### config-directory: config.yaml is a directory
# exit 2
# output config.yaml | run directory
trained; rm run/config.yaml; mkdir run/config.yaml
train --total-steps 480

### events-pipe: events.log is a pipe
# exit 0
trained; rm run/events.log; mkfifo run/events.log
train --total-steps 480

### events-directory: events.log is a directory
# exit 0
trained; rm run/events.log; mkdir run/events.log
train --total-steps 480

### tensorboard-file: tensorboard is a file
# exit 0 or 2
# output tensorboard
trained; rm -r run/tensorboard; touch run/tensorboard
train --total-steps 480

### checkpoints-file: checkpoints is a file
# exit 2
# output checkpoint
trained; rm -r run/checkpoints; touch run/checkpoints
play

### odd-checkpoint-names: entries with odd names are among the checkpoints
# exit 0
trained
cd run/checkpoints
mkdir step_-1 step_abc step_99999999999999999999 best_ step_$'\x1b[31m' $'step_\xff'
touch step_000000640
cd ../..
play && train --total-steps 480

### escapes-in-versions: versions hold codes for the terminal
# exit 0
# output Approximate
tampered 'runtime/versions/tensorflow='$ESCAPES'' 'runtime/processor='$ESCAPES''
train --total-steps 480 && paac verify run

### escapes-in-reasons: reasons hold codes for the terminal
# exit 0
tampered 'approximate=['$ESCAPES']'
train --total-steps 480; paac verify run; true

### escapes-in-array-names: an array's name holds codes for the terminal
# exit 0
tampered 'name:value/kernel='$ESCAPES'' 'name:policy/value/kernel='$ESCAPES''
play; play --last; paac verify run; true

### escapes-in-config: the config holds codes for the terminal
# exit 2
tampered 'config/env/id='$ESCAPES''
play

### escapes-in-keys: a key of the config holds codes for the terminal
# exit 2
tampered 'config/env/kwargs={'$ESCAPES': '$ESCAPES'}'
play

### huge-network: the config asks for 40,000 x 40,000 weights
# exit 2
# output hidden_sizes | shape | does not fit
# at most 60 seconds
tampered 'config/network/hidden_sizes=[40000, 40000]'
(ulimit -v 9000000; play)

### huge-network-resume: the config asks for 40,000 x 40,000 weights
# exit 2
# at most 60 seconds
tampered 'config/network/hidden_sizes=[40000, 40000]'
(ulimit -v 9000000; train --total-steps 480 --set network.hidden_sizes=[40000,40000])

### huge-stack: the config asks for a million environments
# exit 0 or 2
tampered 'config/sampling/num_envs=65536'
play

### deep-config: the config is nested 500 deep
# exit 2
tampered 'config/env/kwargs={"x": '$(printf '[%.0s' {1..500})$(printf ']%.0s' {1..500})'}'
play

### huge-counters: the counters are huge
# exit 0 or 2
tampered counters/steps=9007199254740993000 counters/episodes=9007199254740993000
play; code=$?; paac plot run --out x.png; paac verify run; exit $code

### nan-score: the score is no number
# exit 2
# output score | manifest | checkpoint
tampered score=NaN
play

### seed-too-large: the seed has 30 digits
# exit 2
# output seed
tampered config/seed=999999999999999999999999999999
play

### manifest-null-bytes: the manifest is 1 MB of null bytes
# exit 2
# output checkpoint
trained; for d in run/checkpoints/*; do head -c 1000000 /dev/zero >$d/manifest.json; done
play
