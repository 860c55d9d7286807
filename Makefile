# Everything happens in .venv; `make help` says what there is.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3.11
UV = $(shell command -v uv || echo $(BIN)/uv)
LOCK := requirements.lock

.DEFAULT_GOAL := help
.PHONY: help install demo check browser test test-all train bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(VENV)/installed ## install everything into .venv (torch alone is about 3 GB; README: a smaller build)

$(VENV)/installed: $(LOCK) pyproject.toml
	@test -x $(BIN)/python || { command -v uv >/dev/null && uv venv --python 3.11 $(VENV); } \
	  || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || $(BIN)/python -m pip install --quiet uv
	VIRTUAL_ENV=$(VENV) $(UV) pip install --constraint $(LOCK) --editable '.[dev]'
	@touch $@

demo: install ## the whole path on this machine, with the dashboard on localhost:8501
	$(BIN)/rhythmwatch demo

check: install ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: install ## a Chromium for the browser tests: the system's, Debian's package, or Playwright's own
	@PATH=$(BIN):$$PATH tests/browser/setup.sh

test: check browser ## every check and test but the slow ones
	$(BIN)/python -m pytest -m "not slow"

test-all: check browser ## also the tests that take minutes
	$(BIN)/python -m pytest

train: install ## fit the model that ships (RHYTHMWATCH_DATA says where recordings lie), under an hour on two cores
	$(BIN)/rhythmwatch train

# what others need is older than what we use: an environment of their own
.venv-bench/installed: benchmarks/requirements.lock pyproject.toml $(VENV)/installed
	@test -x .venv-bench/bin/python || $(UV) venv --python $(BIN)/python .venv-bench
	VIRTUAL_ENV=.venv-bench $(UV) pip install --constraint benchmarks/requirements.lock --editable '.[bench]'
	@touch $@

BENCH ?= capacity
bench: .venv-bench/installed ## measure this machine beside the last kept run (BENCH='capacity --keep' keeps it)
	.venv-bench/bin/python -m benchmarks $(BENCH)

lock: ## resolve the exact versions anew, for every platform
	uv pip compile pyproject.toml --extra dev --python-version 3.11 --universal \
	  --no-header --no-annotate --upgrade -o $(LOCK)
	cp $(LOCK) benchmarks/requirements.lock
	uv pip compile pyproject.toml --extra bench --python-version 3.11 --universal \
	  --no-header --no-annotate -o benchmarks/requirements.lock

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) .venv-bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
