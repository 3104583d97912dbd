# Every target runs in the virtual environment .venv, which is created when it is first needed. Only Python >= 3.11,
# make and git must be installed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
MINUTES ?= 60
# As an environment variable, so that the constraints also apply to the packages that build this one.
PIP_INSTALL := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/pip install --quiet

.PHONY: install train test test-trackers check docs format reference bench learn atari chaos soak clean

install: $(VENV)/.installed

train: $(VENV)/.installed
	$(BIN)/paac train --preset pong $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(ARGS)

# Runs the optional trackers offline with their real packages, each in an environment of its own. It shares the packages
# of .venv, so that it takes little; what a tracker needs in another version is installed there. 1 GB, and ten minutes.
TRACKERS := wandb mlflow trackio

test-trackers: $(TRACKERS:%=.trackers/%/.installed)
	for tracker in $(TRACKERS); do .trackers/$$tracker/bin/python -m pytest tests/trackers/test_$$tracker.py $(ARGS) || exit 1; done

.trackers/%/.installed: pyproject.toml $(VENV)/.installed-dev
	rm -rf .trackers/$*
	$(BIN)/python -m venv .trackers/$*
	site_packages='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	  $(BIN)/python -c "$$site_packages" > $$(.trackers/$*/bin/python -c "$$site_packages")/shared.pth
	.trackers/$*/bin/pip install --quiet --editable '.[$*]'
	@touch $@

check: $(VENV)/.installed-dev docs
	$(BIN)/ruff format --check src tests benchmarks chaos docs/*.py
	$(BIN)/ruff check src tests benchmarks chaos docs/*.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Builds the documentation as a site to read and search without a network.
docs: $(VENV)/.installed-dev
	$(BIN)/python docs/make_site.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff format src tests benchmarks chaos docs/*.py
	$(BIN)/ruff check --fix src tests benchmarks chaos docs/*.py

# Writes the tables of settings and docs/commands.md anew, after a change of a setting, an option or a help text.
reference: $(VENV)/.installed
	$(BIN)/python docs/make_reference.py

# Measures this project and others side by side, and writes results/benchmarks.md. Half an hour; the others need 6 GB.
bench: $(VENV)/.installed
	$(BIN)/python benchmarks/compare.py $(ARGS)

# Trains every preset with a known goal on three seeds, and writes results/learning. An hour and a half on one
# core, and then the evaluations.
learn: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/learn.py $(ARGS)

# Trains the preset atari on twelve games and fills the tables of results/atari. Two to four hours for each game on one
# core with AVX-512.
atari: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/atari.py train $(ARGS)
	$(BIN)/python benchmarks/atari.py tables

# Kills, stops and damages runs at random, counts failures, and writes results/reliability.md. Two hours, and then the
# soak: one training of MINUTES minutes.
chaos: $(VENV)/.installed-dev
	$(BIN)/python -m chaos.run --minutes $(MINUTES) $(ARGS)

soak: $(VENV)/.installed-dev
	$(BIN)/python -m chaos.run --only soak --minutes $(MINUTES) $(ARGS)

clean:
	rm -rf $(VENV) .trackers benchmarks/.envs build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "paac needs Python 3.11, 3.12 or 3.13, the versions that TensorFlow supports, but '$(PYTHON)' is another version; try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "this Python has no venv module; on Debian, try: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Installing into $(VENV): about 700 MB of downloads and 2.6 GB on disk, mostly TensorFlow; this takes some minutes'
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	@echo 'Installing into $(VENV): about 700 MB of downloads and 2.6 GB on disk, mostly TensorFlow; this takes some minutes'
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.installed
