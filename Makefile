# Everything is made from a clean checkout with Python 3.11 or newer and make, nothing else.
#   make demo | test | lint | bench | torture | up | lock | clean

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
STAMP := .venv/.ready
TESTS := $(wildcard tests/unit tests/model tests/contract tests/integration tests/fault tests/test_*.py)

.PHONY: help demo test lint bench torture up setup lock clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -2

demo: $(STAMP)
	@$(BIN)/lethe demo

test: $(STAMP)
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(TESTS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_tidy.py

bench: $(STAMP)
	@$(BIN)/python -m bench

torture: $(STAMP)
	@$(BIN)/python -m pytest -m torture --timeout 3600 tests/fault tests/model

up: $(STAMP)
	@$(BIN)/lethe up

setup: $(STAMP)

# `python -m venv` keeps what is there already, so an interrupted set-up goes on where it stopped.
$(STAMP): requirements.lock pyproject.toml
	@$(if $(PYTHON),,$(error Lethe needs Python 3.11 or newer: install it, or name it as in `make $@ PYTHON=/path/to/python3`))
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Lethe needs Python 3.11 or newer, $(PYTHON) is older or does not run: name another as in make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up .venv with $$("$(PYTHON)" --version): once, and again when requirements.lock changes"
	@"$(PYTHON)" -m venv .venv
	@total=$$(grep -c == requirements.lock); count=0; \
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
		--require-hashes --requirement requirements.lock | \
	while read -r word what rest; do case "$$word" in \
		Collecting) count=$$((count + 1)); echo "  [$$count/$$total] $${what%%=*}" ;; \
		Requirement) count=$$((count + 1)) ;; \
		Installing) echo "  installing them" ;; \
	esac; done
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps \
		--config-settings editable_mode=compat --editable .  # compat: the checkout is on the path, deploy included
	@touch $(STAMP)

lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--extra embedded --extra stores --extra dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv .lethe .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
