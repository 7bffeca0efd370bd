# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
WALL   := bubblewrap libseccomp2
SERVERS := $(VENV)/etc/jupyter/jupyter_server_config.d
IN_LAB := $(VENV)/share/jupyter/labextensions/autograder
AXE_VERSION := 4.14.1
PROXY_VERSION := 5.3.0
PROXY  := build/proxy-$(PROXY_VERSION)/node_modules/.bin/configurable-http-proxy
AXE    := build/axe-$(AXE_VERSION)/node_modules/axe-core/axe.min.js
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help env wall demo test lint prove prove-changed bench figures hostile browser chromium hub slow postgres kills clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

env: $(STAMP)  ## create the environment in .venv

$(STAMP): pyproject.toml constraints.txt | wall
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version). Name another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "This Python cannot make virtual environments. On Debian or Ubuntu type: sudo apt-get install python3-venv"; exit 2; }
	@echo "Installing into $(VENV); the first time takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@mkdir -p $(SERVERS) $(IN_LAB) && cp autograder/jupyter/autograder.json $(SERVERS)/ && \
	  cp -r autograder/jupyter/lab/. $(IN_LAB)/  # pip leaves these out with -e
	@touch $@

wall:  # what walls student code in: a system package, installed where we may
	@command -v bwrap >/dev/null && /sbin/ldconfig -p | grep -q libseccomp.so.2 || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get install -y -qq $(WALL) >/dev/null || { apt-get update -qq && apt-get install -y -qq $(WALL) >/dev/null; }; \
	  elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then \
	    sudo apt-get update -qq && sudo apt-get install -y -qq $(WALL) >/dev/null; \
	  else \
	    echo "Student code is walled in by bubblewrap, which is not installed. Type one of these, then make again:"; \
	    echo "  Debian, Ubuntu   sudo apt-get install bubblewrap libseccomp2"; \
	    echo "  Fedora           sudo dnf install bubblewrap libseccomp"; \
	    echo "  Arch             sudo pacman -S bubblewrap libseccomp"; exit 2; \
	  fi; }

demo: $(STAMP)  ## build and release the assignments, grade a simulated class, write feedback, show the scores
	@$(BIN)/autograder build
	@$(BIN)/autograder demo w1_perceptrons w6_adversarial_attacks

test: $(STAMP)  ## lint, type check, all quick tests
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet autograder tests
	@$(BIN)/mypy
	@$(BIN)/autograder build --check

prove: $(STAMP)  ## prove every assignment: all mutants and alternatives, in one process and examined; what holds is recorded (an hour)
	@$(BIN)/autograder check --examined --record

prove-changed: $(STAMP)  ## assignments that changed since then, wholly; of others all known wrong solutions; one of them examined (minutes)
	@$(BIN)/autograder check --changed
	@$(BIN)/autograder check --quick --examined w1_perceptrons

bench: $(STAMP)  ## measure kernels (cold, warm behind the wall, the floor under both), examining, and mutants (minutes)
	@$(BIN)/autograder bench kernels
	@$(BIN)/autograder bench examiner
	@$(BIN)/autograder bench mutants --repeat 3

figures: $(STAMP)  ## measure a class and one driver again, for docs/mooc.md: its drawing and its tables (many minutes; a quiet machine)
	@$(BIN)/autograder bench class --json > docs/img/class_scaling.json.new && mv docs/img/class_scaling.json.new docs/img/class_scaling.json
	@$(BIN)/autograder bench driver --json > docs/img/driver.json.new && mv docs/img/driver.json.new docs/img/driver.json
	@$(BIN)/autograder bench plot docs/img/class_scaling.json
	@$(BIN)/autograder bench mooc docs/img/class_scaling.json docs/img/driver.json --into docs/mooc.md

hostile: $(STAMP)  ## attack the wall (tests/hostile) and the grade (tests/cheats) (minutes)
	@$(BIN)/python -m pytest -m hostile

browser: $(STAMP) chromium $(AXE) hub  ## click through JupyterLab, JupyterHub, formgrader and feedback in Chromium (minutes); pictures in build/browser
	@PATH="$(CURDIR)/$(dir $(PROXY)):$$PATH" $(BIN)/python -m pytest -m browser tests/browser

hub: $(STAMP)  # JupyterHub and its proxy, where they can be had; without them its test is skipped, and says so
	@{ { test -x $(PROXY) || npm install --prefix build/proxy-$(PROXY_VERSION) --no-save --no-audit --no-fund --ignore-scripts \
	    --loglevel=error configurable-http-proxy@$(PROXY_VERSION); } && { $(BIN)/python -c 'import jupyterhub' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[hub]'; }; } || \
	  echo "JupyterHub could not be installed: it is NOT TESTED here."

$(AXE):  # says what a page lacks for those who read it by keyboard or aloud; fetched once
	@command -v npm >/dev/null || { \
	  echo "The browser tests need axe-core, an npm package, and there is no npm. Type one of these, then make browser again:"; \
	  echo "  Debian, Ubuntu   sudo apt-get install npm"; \
	  echo "  Fedora           sudo dnf install npm"; \
	  echo "  Arch             sudo pacman -S npm"; exit 2; }
	@npm install --prefix build/axe-$(AXE_VERSION) --no-save --no-audit --no-fund --ignore-scripts --loglevel=error axe-core@$(AXE_VERSION)

chromium:  # the browser: a system package, installed where we may
	@test -n "$$CHROMIUM" || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  if grep -q '^ID=debian' /etc/os-release && [ "$$(id -u)" = 0 ]; then \
	    apt-get install -y -qq chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }; \
	  elif grep -q '^ID=debian' /etc/os-release && sudo -n true 2>/dev/null; then \
	    sudo apt-get update -qq && sudo apt-get install -y -qq chromium >/dev/null; \
	  else \
	    echo "The browser tests need Chromium, which is not installed. Type one of these, then make browser again:"; \
	    echo "  Debian           sudo apt-get install chromium"; \
	    echo "  Ubuntu           sudo snap install chromium"; \
	    echo "  Fedora           sudo dnf install chromium"; \
	    echo "  Arch             sudo pacman -S chromium"; \
	    echo "Or name one that is elsewhere: make browser CHROMIUM=/path/to/chromium"; exit 2; \
	  fi; }

slow: $(STAMP) postgres  ## nbgrader's own tests of autograde, graded by us, the demonstration, Dask and PostgreSQL (minutes)
	@$(BIN)/python -m pytest -m slow

postgres:  # the database server: a system package, installed where we may; without it its test is skipped, and says so
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  if grep -q '^ID=debian' /etc/os-release && [ "$$(id -u)" = 0 ]; then \
	    apt-get install -y -qq postgresql >/dev/null || { apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }; \
	  elif grep -q '^ID=debian' /etc/os-release && sudo -n true 2>/dev/null; then \
	    sudo apt-get update -qq && sudo apt-get install -y -qq postgresql >/dev/null; \
	  else \
	    echo "PostgreSQL is not installed: a gradebook in it is NOT TESTED here. Debian, Ubuntu: sudo apt-get install postgresql"; \
	  fi; } || echo "PostgreSQL could not be installed: a gradebook in it is NOT TESTED here."

kills: $(STAMP)  ## kill whatever grades a class, from before its first submission to its last, and count (about four minutes)
	@$(BIN)/python -m pytest -m kills

clean:  ## remove the environment and everything that was generated
	rm -rf $(VENV) demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
