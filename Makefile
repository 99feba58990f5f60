# Two commands: `make demo` and `make test`. The rest is for people who work on Bursar.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long check lint sandbox bench-sync

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

install: $(VENV)/.installed ## the virtual environment and what is pinned in requirements.txt

demo: install ## the whole thing on the sandbox; ARGS=--once for one hour and a summary
	@$(RUN) -m config.bootstrap --demo
	@$(RUN) manage.py demo $(ARGS)

sandbox: install ## only the sandbox; ARGS="--port 9400 --seed 7"
	@$(RUN) -m config.bootstrap --demo
	@$(RUN) manage.py sandbox $(ARGS)

test: install ## every test that the environment allows; see README
	@tests/run $(ARGS)

test-long: install ## what takes longer than CI has: see docs/connectors.md
	@LONG=1 $(RUN) -m pytest -q -m long $(ARGS)

bench-sync: install ## a sync beside bare HTTP and a bare COPY; ARGS="--accounts 20 --ad-sets 500 --days 28"
	@$(RUN) -m tests.benchmarks.sync $(ARGS)

check: install lint ## lint, types, floors, migrations, deployment settings
	@tests/check

lint: install
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
