# Commands in odd directories, on odd disks.

### tmpdir-long: TMPDIR has 300 characters
# exit 0
TMPDIR=$PWD/$X/$X; mkdir -p $TMPDIR; export TMPDIR; train && play

### tmpdir-missing: TMPDIR does not exist
# exit 0
TMPDIR=/nowhere; export TMPDIR; train

### tmpdir-file: TMPDIR is a file
# exit 0
TMPDIR=$PWD/file; touch file; export TMPDIR; train

### tmpdir-relative: TMPDIR is relative
# exit 0
TMPDIR=tmp; mkdir tmp; export TMPDIR; train

### tmpdir-odd-name: TMPDIR has spaces and quotes and umlauts
# exit 0
export TMPDIR=$PWD/$'ä \'"'
mkdir "$TMPDIR"
train

### tmpdir-not-utf8: TMPDIR is not UTF-8
# exit 0
export TMPDIR=$PWD/$'caf\xe9'
mkdir "$TMPDIR"
train && play

### tmpdir-unset: TMPDIR is not set
# exit 0
unset TMPDIR; export TMPDIR; train

### tmpdir-read-only: TMPDIR is read-only
# exit 0
mkdir tmp; chmod 500 tmp; export TMPDIR=$PWD/tmp; powerless 'train && play'

### home-read-only: HOME is read-only
# exit 0
mkdir home
chmod 500 home
export HOME=$PWD/home
unset XDG_CACHE_HOME XDG_CONFIG_HOME
powerless 'train && play && record && paac plot run'

### home-missing: HOME does not exist
# exit 0
export HOME=/nowhere
train && play && record && paac plot run

### home-unset: HOME is not set
# exit 0
unset HOME; train && play && paac plot run

### home-tilde: --run-dir=~/x
# exit 0
export HOME=$PWD/home; mkdir home; train --run-dir=~/x --total-steps 64 && test -d home/x/checkpoints -a ! -e '~'

### home-tilde-quoted: --run-dir '~/x'
# exit 0
export HOME=$PWD/home
mkdir home
train --run-dir '~/x' && test -d home/x/checkpoints -a ! -e '~' || exit
paac eval '~/x' --episodes 2 && paac plot '~/x'

### directory-missing: the current directory has been deleted
# exit 2
# output current directory | run directory
mkdir gone; cd gone; rmdir ../gone; paac presets list >/dev/null && paac --help >/dev/null; train

### directory-missing-eval: the current directory has been deleted
# exit 0 or 2
trained; mkdir gone; cd gone; rmdir ../gone; paac eval "$RUN" --episodes 2

### directory-read-only: the current directory is read-only
# exit 2
# output run directory
# output permission
mkdir ro; cd ro; chmod 500 .; powerless train

### directory-long-name: a run directory of 300 characters
# exit 2
# output run directory
# output long
train --run-dir $X$X$X

### directory-long-path: a run directory with a path of 3,000 characters
# exit 0 or 2
# at most 30 lines
long=$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X/$X
train --run-dir $long && paac eval $long --episodes 2

### directory-odd-name: a run directory with a newline, quotes and codes for the terminal
# exit 0
d=$'a\n\'"$(x) \x1b[31m'; train --run-dir "$d" && paac eval "$d" --episodes 2 && paac plot "$d"

### directory-not-utf8: a run directory whose name is not UTF-8
# exit 0
d=$'caf\xe9'
train --run-dir $d && paac eval $d --episodes 2 && paac plot $d && paac verify $d && paac record --checkpoint $d

### directory-not-utf8-inside: a current directory whose name is not UTF-8
# exit 0
d=$'caf\xe9'; mkdir $d; cd $d; train && play && record && paac plot run

### directory-empty-name: --run-dir ''
# exit 2
# output run-dir | run directory
train --run-dir ''

### directory-is-file: the run directory is a file
# exit 2
# output run
touch run; train

### directory-under-file: the run directory is in a file
# exit 2
# output run
touch run; train --run-dir run/x/y

### directory-is-device: the run directory is a device, or in /proc
# exit 2
# output /dev/null
# output /proc
train --run-dir /dev/null; test $? = 2 && train --run-dir /proc/run

### directory-in-run: the run directory is inside another run
# exit 0 or 2
trained; train --run-dir run/checkpoints/inner; test $? = 2 || train --run-dir run/inner; play

### directory-of-others: the run directory holds other files
# exit 2
# output neither empty nor a run
mkdir run; touch run/thesis.tex; train

### default-directory: inside a run, without --run-dir
# exit 0
trained; cd run; paac train --preset cartpole --total-steps 320 --device cpu && test -d runs/cartpole-seed1

### disk-full: the disk is full before the run begins
# exit 2
# output space
# at most 24 lines
mounted 64k; train --run-dir disk/run

### disk-full-later: the disk becomes full during a run
# exit 2
# output space
# output checkpoint
# at most 40 lines
mounted 700k; train --run-dir disk/run --total-steps 100000 --set training.keep_checkpoints=1000

### disk-read-only: the disk becomes read-only during a run
# exit 2
# output read-only
# at most 24 lines
mounted 100m; train --run-dir disk/run && mount -o remount,ro disk && train --run-dir disk/run --total-steps 480

### disk-read-only-eval: a run on a read-only disk is evaluated and plotted
# exit 2
# output read-only
# at most 24 lines
mounted 100m
trained disk/run
mount -o remount,ro disk
paac eval disk/run --episodes 2 && paac plot disk/run --out x.png && paac verify disk/run || exit 99
paac plot disk/run

### file-size-limit: ulimit -f 20
# exit 2
# output large
# at most 24 lines
ulimit -f 20; train
