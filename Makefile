# Everything runs in .venv, which every target makes as it needs it. Nothing has to be installed first
# but Python >= 3.11, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
MINUTES ?= 60
# By the environment, so that the pins hold for what builds the package too.
PIP_INSTALL := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/pip install --quiet

.PHONY: install train test check format bench learn chaos soak clean

install: $(VENV)/.installed

train: $(VENV)/.installed
	$(BIN)/paac train --preset pong $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check src tests benchmarks chaos
	$(BIN)/ruff check src tests benchmarks chaos
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-dev
	$(BIN)/ruff format src tests benchmarks chaos
	$(BIN)/ruff check --fix src tests benchmarks chaos

# Measures this project beside others, and writes results/benchmarks.md. Half an hour, and 6 GB for the others.
bench: $(VENV)/.installed
	$(BIN)/python benchmarks/compare.py $(ARGS)

# Trains every preset that is known to learn, three seeds each, and writes results/learning. An hour or so.
learn: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/learn.py $(ARGS)

# Kills, stops and damages runs, over and over, and writes results/reliability.md: what was done, and what was lost.
# Half an hour, and then the soak: one training for MINUTES.
chaos: $(VENV)/.installed-dev
	$(BIN)/python -m chaos.run --minutes $(MINUTES) $(ARGS)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m chaos.run --only soak --minutes $(MINUTES) $(ARGS)

clean:
	rm -rf $(VENV) benchmarks/.envs dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "paac needs Python 3.11, 3.12 or 3.13 (TensorFlow has no other), and '$(PYTHON)' is none; try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "this Python lacks the venv module; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Installing into $(VENV): a download of some 700 MB, 2.6 GB on disk, TensorFlow above all; minutes the first time'
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Installing into $(VENV): a download of some 700 MB, 2.6 GB on disk, TensorFlow above all; minutes the first time'
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.installed
