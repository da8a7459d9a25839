# Two commands are enough: `make repro` runs the pipeline, `make test` checks everything.
#   make repro TORCH_INDEX=<address of PyTorch's CPU wheel index>
# takes torch from that index instead of the default one: on Linux the whole download is then 0.4 GB
# instead of 2.9 GB. It matters for the first installation only.

PYTHON ?= python3
TORCH_INDEX ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DVC_NO_ANALYTICS := 1

.PHONY: repro test check bench-labelling lock clean
.DELETE_ON_ERROR:

repro: $(VENV)/.installed  ## install what is missing, run the pipeline, show what came out
	@dvc repro
	@distilrec results
	@echo "The report is in reports/index.html"

# One thread a process: several processes of two threads each wait for one another on two cores.
test: check  ## lint, types and tests
	@OMP_NUM_THREADS=1 python -m pytest -n $(JOBS) --dist loadgroup

check: $(VENV)/.installed-dev  ## lint and types
	@ruff check .
	@ruff format --check .
	@mypy

bench-labelling: $(VENV)/.installed-dev  ## the promise about labels at full length (an hour)
	@OMP_NUM_THREADS=1 python -m benchmarks.labelling

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1 || true); Python 3.11 or newer is" \
	    "needed: make repro PYTHON=<path of one>" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# A stamp file is newer than what it was made from, so that a second `make` installs nothing.
$(VENV)/.installed: $(BIN)/python requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (once)"
	@$(if $(TORCH_INDEX),python -m pip install --quiet --no-deps --index-url $(TORCH_INDEX) \
	  "$$(grep '^torch==' requirements.lock)")
	@python -m pip install --quiet -r requirements.lock
	@python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "Installing what the tests need (once)"
	@python -m pip install --quiet -r requirements-dev.lock
	@touch $@

# Resolves pyproject.toml anew in an environment of its own and writes both lock files. A local
# build (`+cpu`) would install nowhere else, and torch brings vendor packages where it needs them.
LOCKED = sed -e 's/+[A-Za-z0-9.]*$$//' | grep -v -i -E '^(nvidia-|cuda-|triton|pip==|distilrec)'
lock: $(BIN)/python
	rm -rf .cache/lock && python -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet --upgrade 'setuptools>=77' '.[dev]'
	.cache/lock/bin/python -m pip freeze --all | $(LOCKED) > .cache/lock/all.txt
	.cache/lock/bin/python -m pip install --quiet --dry-run --ignore-installed \
	  --report .cache/lock/report.json -c .cache/lock/all.txt setuptools .
	.cache/lock/bin/python -c 'import json, sys; \
	  found = [one["metadata"] for one in json.load(sys.stdin)["install"]]; \
	  print(*(one["name"] + "==" + one["version"] for one in found), sep="\n")' \
	  < .cache/lock/report.json | $(LOCKED) | sort -f > requirements.lock
	{ echo "-r requirements.lock"; sort -f .cache/lock/all.txt | grep -v -x -i -F -f requirements.lock; } \
	  > requirements-dev.lock

clean:  ## remove the environment and caches; data, models and reports stay
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .hypothesis dist build *.egg-info
