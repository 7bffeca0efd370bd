# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help env demo test lint prove nbgrader-tests clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

env: $(STAMP)  ## create the environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version). Name another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "This Python cannot make virtual environments. On Debian or Ubuntu type: sudo apt-get install python3-venv"; exit 2; }
	@echo "Installing into $(VENV); the first time takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## build and release the assignments, grade a simulated class, write feedback, show the scores
	@$(BIN)/autograder build
	@$(BIN)/autograder demo

test: $(STAMP)  ## lint, type check, all quick tests
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet autograder tests
	@$(BIN)/mypy
	@$(BIN)/autograder build --check

prove: $(STAMP)  ## prove every assignment: all mutants and alternatives (minutes)
	@$(BIN)/autograder check

nbgrader-tests: $(STAMP)  ## nbgrader's own tests of autograde, graded by us (minutes)
	@$(BIN)/python -m pytest -m slow

clean:  ## remove the environment and everything that was generated
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
