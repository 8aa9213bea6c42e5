# Whistle: everything a person or a machine does with this folder. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.SILENT:
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-bench run check test bench lock

VENV := .venv
BIN := $(VENV)/bin
# What is tried out beside it is nobody's business.
OURS := deploy schemas services tests
# The first Python that is new enough; `make PYTHON=/path/to/python3 …` names another.
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# The lock's own first lines, which say how it came about.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
	--custom-compile-command 'make lock' --extra local --group build

# Everything but the program itself speaks on stderr: the last line that `make run` prints is read by machines.
define install
	echo "make: installing the packages of $(1) into $(VENV) (a minute, once)" >&2
	$(PIP) install --require-hashes -r $(1) >&2 || { echo "make: the packages of $(1) could not be installed (the lines above say why): check that this machine reaches a Python package index, then run the same command again." >&2; exit 1; }
	$(PIP) install --no-deps --no-build-isolation --editable . >&2 || { echo "make: the project could not be installed into $(VENV): remove the folder $(VENV), then run the same command again." >&2; exit 1; }
endef

help: ## list these commands
	sed -nE 's/^([a-z-]+):.*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  %-16s %s\n' "$$name" "$$what"; done

setup: $(VENV)/.runtime ## make .venv with what running the house needs

setup-dev: $(VENV)/.dev ## the same, with what checking and testing need

setup-bench: $(VENV)/.bench ## the same, with what the house is measured against

run: setup ## start the whole house on this machine; ARGS="--help" shows its options
	exec $(BIN)/python -m services.local $(ARGS)

check: setup-dev ## lint, format, types and the rules about imports
	$(BIN)/ruff check $(OURS) pyproject.toml
	$(BIN)/ruff format --check $(OURS)
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup-dev check ## check, then every test; ARGS="-k router" chooses some
	exec $(BIN)/python -m pytest $(ARGS)

bench: setup-bench ## measure throughput and latency on this machine
	exec $(BIN)/python -m tests.bench $(ARGS)

lock: ## choose the newest versions again and write the locks (needs uv)
	command -v uv >/dev/null || { echo "make lock: uv is not installed: install it (pip install uv), then run make lock again." >&2; exit 1; }
	$(LOCK) --upgrade --output-file deploy/requirements.txt >/dev/null
	$(LOCK) --upgrade --extra dev --output-file deploy/requirements-dev.txt >/dev/null
	$(LOCK) --upgrade --extra dev --extra bench --output-file deploy/requirements-bench.txt >/dev/null

# pip is the last part of a new environment to be there: one cut short is made again.
$(BIN)/pip:
	test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv was found: install one (on Debian or Ubuntu: python3 and python3-venv), or name it with make PYTHON=/path/to/python3." >&2; exit 1; }
	"$(PYTHON)" -c '$(NEW_ENOUGH)' || { echo "make: $(PYTHON) is older than Python 3.11 or lacks venv: name a newer one with make PYTHON=/path/to/python3." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV) >&2 || { rm -rf $(VENV); echo "make: the folder $(VENV) could not be made with $(PYTHON): see the line above, then run the same command again." >&2; exit 1; }

# A stamp is newer than what it was made from, so a second call has nothing to do.
$(VENV)/.runtime: deploy/requirements.txt pyproject.toml | $(BIN)/pip
	$(call install,deploy/requirements.txt)
	touch $@

$(VENV)/.dev: deploy/requirements-dev.txt deploy/requirements.txt pyproject.toml | $(BIN)/pip
	$(call install,deploy/requirements-dev.txt)
	touch $(VENV)/.runtime $@

# What is compared with wants older packages here and there (click), so whoever only checks and tests is spared them.
$(VENV)/.bench: deploy/requirements-bench.txt deploy/requirements-dev.txt deploy/requirements.txt pyproject.toml | $(BIN)/pip
	$(call install,deploy/requirements-bench.txt)
	touch $(VENV)/.runtime $(VENV)/.dev $@
