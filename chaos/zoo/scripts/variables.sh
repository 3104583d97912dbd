# Commands with odd environment variables.

### variable-python-warnings: PYTHONWARNINGS=error
# exit 0
export PYTHONWARNINGS=error
train

### variable-python-optimize: PYTHONOPTIMIZE=2
# exit 0
export PYTHONOPTIMIZE=2
train && record && paac verify run

### variable-python-no-bytecode: PYTHONDONTWRITEBYTECODE=1
# exit 0
export PYTHONDONTWRITEBYTECODE=1
train

### variable-python-startup: PYTHONSTARTUP=/nowhere PYTHONINSPECT= PYTHONBREAKPOINT=x.y
# exit 0
export PYTHONSTARTUP=/nowhere PYTHONINSPECT= PYTHONBREAKPOINT=x.y
train

### variable-python-safe-path: PYTHONSAFEPATH=1
# exit 0
export PYTHONSAFEPATH=1
train && play

### variable-python-hash-seed: PYTHONHASHSEED=7 PYTHONUNBUFFERED=1 PYTHONINTMAXSTRDIGITS=640
# exit 0
export PYTHONHASHSEED=7 PYTHONUNBUFFERED=1 PYTHONINTMAXSTRDIGITS=640
train

### variable-python-dev-mode: PYTHONDEVMODE=1 PYTHONASYNCIODEBUG=1
# exit 0
# at most 400 lines
export PYTHONDEVMODE=1 PYTHONASYNCIODEBUG=1
train && play

### variable-python-encoding: PYTHONIOENCODING=utf-16 LANG=xx_XX.nonsense
# exit 0
export PYTHONIOENCODING=utf-16 LANG=xx_XX.nonsense
train >/dev/null 2>&1

### variable-numba-cache: NUMBA_CACHE_DIR=/proc/nowhere
# exit 0
export NUMBA_CACHE_DIR=/proc/nowhere
paac train --preset pong --num-envs 2 --num-workers 2 --total-steps 20 --device cpu --set algorithm.num_steps=5

### variable-numba-no-jit: NUMBA_DISABLE_JIT=1 NUMBA_NUM_THREADS=1
# exit 0
export NUMBA_DISABLE_JIT=1 NUMBA_NUM_THREADS=1
train

### variable-threads-odd: OMP_NUM_THREADS=-3 OPENBLAS_NUM_THREADS=many MKL_NUM_THREADS=0 TF_NUM_INTRAOP_THREADS=x
# exit 0 or 2
export OMP_NUM_THREADS=-3 OPENBLAS_NUM_THREADS=many MKL_NUM_THREADS=0 TF_NUM_INTRAOP_THREADS=x
train

### variable-tensorflow-odd: TF_CPP_MIN_LOG_LEVEL=loud TF_ENABLE_ONEDNN_OPTS=maybe CUDA_VISIBLE_DEVICES=zzz
# exit 0 or 2
export TF_CPP_MIN_LOG_LEVEL=loud TF_ENABLE_ONEDNN_OPTS=maybe CUDA_VISIBLE_DEVICES=zzz
train

### variable-xla-flags: XLA_FLAGS=--no_such_flag=1 TF_XLA_FLAGS=--neither
# exit 0 or 1 or 2
# at most 30 lines
export XLA_FLAGS=--no_such_flag=1 TF_XLA_FLAGS=--neither
train

### variable-keras-backend: KERAS_BACKEND=torch
# exit 0 or 2
export KERAS_BACKEND=torch
train

### variable-keras-home: KERAS_HOME=/proc/nowhere
# exit 0
export KERAS_HOME=/proc/nowhere
train

### variable-matplotlib-odd: MPLBACKEND=no-such MPLCONFIGDIR=/proc/nowhere
# exit 0
export MPLBACKEND=no-such MPLCONFIGDIR=/proc/nowhere
trained; paac plot run

### variable-terminal-odd: COLUMNS=1 LINES=0 TERM=dumb NO_COLOR=1 CLICOLOR_FORCE=1
# exit 0
export COLUMNS=1 LINES=0 TERM=dumb NO_COLOR=1 CLICOLOR_FORCE=1
train

### variable-force-color: FORCE_COLOR=1 TTY_COMPATIBLE=1
# exit 0
export FORCE_COLOR=1 TTY_COMPATIBLE=1
train >out 2>&1 && play >>out 2>&1

### variable-display-odd: SDL_VIDEODRIVER=x11 DISPLAY=:99 MUJOCO_GL=no-such
# exit 0 or 2
export SDL_VIDEODRIVER=x11 DISPLAY=:99 MUJOCO_GL=no-such
train && record

### variable-time-zone: TZ=:/nowhere/Mars SOURCE_DATE_EPOCH=x
# exit 0
export TZ=:/nowhere/Mars SOURCE_DATE_EPOCH=x
train

### variable-time-zone-extreme: TZ='<+99>-99:59:59'
# exit 0
export TZ='<+99>-99:59:59'
train

### variable-preload-missing: LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/nowhere
# exit 0
# at most 400 lines
export LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/nowhere
train

### environment-empty: no environment variables at all
# exit 0
env -i PAAC_ZOO_CASE=$PAAC_ZOO_CASE PYTHONPATH=$PYTHONPATH TMPDIR=$TMPDIR $(command -v paac) "${TRAIN[@]:1}"

### python-o: python -O
# exit 0
python -O $(command -v paac) "${TRAIN[@]:1}" && python -OO -m paac_cli eval run --episodes 2

### python-isolated: python -I
# exit 0 or 1
python -I -c 'from paac_cli.cli.main import main; main()' --version
