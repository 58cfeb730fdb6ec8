# Two commands do everything on a fresh machine: `make run` and `make test`.
# Needed: Python 3.11 or newer, make, a C and a C++ compiler, and the package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: run test soak bench docs check lint types imports format clean help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(RUN_STAMP)  ## install, then explain docs/examples/quicksort.py with the starter model
	@$(BIN)/llmchat explain docs/examples/quicksort.py
	@echo
	@echo 'Now you: $(BIN)/llmchat "how do I reverse a list in place?"'

test: $(DEV_STAMP)  ## run the whole test suite
	@$(BIN)/python -m pytest $(TESTS)

soak: $(DEV_STAMP)  ## the long tests with their full counts
	@LLMCHAT_TEST_SCALE=1 $(BIN)/python -m pytest --timeout 3600 $(TESTS)

bench: $(DEV_STAMP)  ## measure against peers; BENCH=name runs one
	@$(BIN)/python -m benchmarks $(BENCH)

docs: $(DEV_STAMP)  ## write docs/commands.md and docs/settings.md
	@$(BIN)/python -m assistant.cli.reference docs

check: lint types imports  ## format, lint, types and import contracts

lint: $(DEV_STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(DEV_STAMP)
	@$(BIN)/mypy

imports: $(DEV_STAMP)
	@$(BIN)/lint-imports

format: $(DEV_STAMP)  ## put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

$(VENV)/bin/python:
	@echo "Creating $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmchat needs Python 3.11 or newer; try: make run PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing; the first time llama.cpp is compiled, which takes 4 to 5 minutes …"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[starter]'
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing; the first time llama.cpp is compiled, which takes 4 to 5 minutes …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(RUN_STAMP)
