# Commands with odd environment variables.

### variable-python-warnings: environment variables
# exit 0
export PYTHONWARNINGS=error
train && play

### variable-python-optimize: environment variables
# exit 0
export PYTHONOPTIMIZE=2
train && play && film && paac verify run

### variable-python-no-bytecode: environment variables
# exit 0
export PYTHONDONTWRITEBYTECODE=1
train && play

### variable-python-startup: environment variables
# exit 0
export PYTHONSTARTUP=/nowhere PYTHONINSPECT= PYTHONBREAKPOINT=x.y
train && play

### variable-python-safe-path: environment variables
# exit 0
export PYTHONSAFEPATH=1
train && play

### variable-python-hash-seed: environment variables
# exit 0
export PYTHONHASHSEED=7 PYTHONUNBUFFERED=1 PYTHONINTMAXSTRDIGITS=640
train && play

### variable-python-dev-mode: environment variables
# exit 0
# at most 400 lines
export PYTHONDEVMODE=1 PYTHONASYNCIODEBUG=1
train && play

### variable-python-encoding: environment variables
# exit 0
export PYTHONIOENCODING=utf-16 LANG=xx_XX.nonsense
train >/dev/null 2>&1

### variable-numba-cache: environment variables
# exit 0
export NUMBA_CACHE_DIR=/proc/nowhere
paac train --preset pong --num-envs 2 --num-workers 2 --total-steps 20 --device cpu --set algorithm.num_steps=5

### variable-numba-no-jit: environment variables
# exit 0
export NUMBA_DISABLE_JIT=1 NUMBA_NUM_THREADS=1
train && play

### variable-threads-odd: environment variables
# exit 0 or 2
export OMP_NUM_THREADS=-3 OPENBLAS_NUM_THREADS=many MKL_NUM_THREADS=0 TF_NUM_INTRAOP_THREADS=x
train && play

### variable-tensorflow-odd: environment variables
# exit 0 or 2
export TF_CPP_MIN_LOG_LEVEL=loud TF_ENABLE_ONEDNN_OPTS=maybe TF_DETERMINISTIC_OPS=x CUDA_VISIBLE_DEVICES=zzz
train && play

### variable-xla-flags: environment variables
# exit 0 or 1 or 2
# output flag
# at most 30 lines
export XLA_FLAGS=--no_such_flag=1 TF_XLA_FLAGS=--neither
train

### variable-keras-backend: environment variables
# exit 0 or 2
export KERAS_BACKEND=torch
train && play

### variable-keras-home: environment variables
# exit 0
export KERAS_HOME=/proc/nowhere
train && play

### variable-matplotlib-odd: environment variables
# exit 0
export MPLBACKEND=no-such MPLCONFIGDIR=/proc/nowhere
trained; paac plot run

### variable-terminal-odd: environment variables
# exit 0
export COLUMNS=1 LINES=0 TERM=dumb NO_COLOR=1 CLICOLOR_FORCE=1
train && play

### variable-force-color: environment variables
# exit 0
export FORCE_COLOR=1 TTY_COMPATIBLE=1
train >out 2>&1 && play >>out 2>&1

### variable-display-odd: environment variables
# exit 0 or 2
export SDL_VIDEODRIVER=x11 DISPLAY=:99 MUJOCO_GL=no-such
train && film

### variable-time-zone: environment variables
# exit 0
export TZ=:/nowhere/Mars SOURCE_DATE_EPOCH=x
train && play

### variable-time-zone-extreme: environment variables
# exit 0
export TZ='<+99>-99:59:59'
train && play

### variable-preload-missing: environment variables
# exit 0
# at most 400 lines
export LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/nowhere
train && play

### environment-empty: no environment variables at all
# exit 0
env -i PAAC_ZOO_CASE=$PAAC_ZOO_CASE PYTHONPATH=$PYTHONPATH TMPDIR=$TMPDIR $(command -v paac) "${TRAIN[@]:1}"

### python-o: python -O
# exit 0
python -O $(command -v paac) "${TRAIN[@]:1}" && python -OO -m paac_cli eval run --episodes 2

### python-isolated: python -I
# exit 0 or 1
python -I -c 'from paac_cli.cli.main import main; main()' --version
