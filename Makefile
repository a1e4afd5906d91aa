# `make` alone says what there is. Nothing is needed but Python 3.11 or newer, make, and Stockfish (which `setup`
# installs by itself on Debian and its kin where it may).

BIN := .venv/bin
PY := $(BIN)/python
PYTEST := $(PY) -m pytest
# Tests wait more than they compute: on two cores 4 workers take 126 s where 2 take 214.
WORKERS ?= 4
STAMP := .venv/.set-up

SOURCES := protos/src orchestrator/src analyzer/src
# Folders with tests that start processes of their own, and so want the machine to themselves.
SLOW := $(sort $(dir $(wildcard tests/e2e/test_*.py tests/fault/test_*.py)))
BENCHES := $(patsubst tests/bench/bench_%.py,bench-%,$(wildcard tests/bench/bench_*.py))

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-supabase browser chaos check lint lint-code lint-imports lint-protos lint-files \
	test-fast bench $(BENCHES) proto gateway openapi env-example requirements clean

help: ## Show this
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z][a-zA-Z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r target text; do \
		printf '  %-14s %s\n' "$$target" "$$text"; done
	@for bench in $(BENCHES); do printf '  %-14s %s\n' "$$bench" \
		"$$(sed -n '1s/^"""//p' tests/bench/bench_$${bench#bench-}.py)"; done

setup: $(STAMP) ## Make .venv with everything in it, pinned and hashed; quick when nothing changed

$(STAMP): requirements/dev.txt protos/pyproject.toml orchestrator/pyproject.toml analyzer/pyproject.toml \
		scripts/setup.sh
	@sh scripts/setup.sh
	@touch $@

demo: setup ## Sync and analyze games that ship with the project, without network or account
	$(PY) -m tests.support.demo

up: setup ## Run Postgres, one analyzer and the orchestrator until Ctrl-C (ARGS="--port 50052 ...")
	$(BIN)/rookify up $(ARGS)

test: test-fast browser ## All tests: unit and contract side by side, then e2e and fault one by one
	$(if $(SLOW),$(PYTEST) $(SLOW))

browser: # what the browser tests drive
	@sh scripts/browser.sh

test-fast: setup # unit and contract only
	$(PYTEST) -n $(WORKERS) tests/unit tests/contract

test-supabase: setup ## The store's tests over a real stack: SUPABASE_URL, _SERVICE_ROLE_KEY, _DB_URL of `supabase start`
	ROOKIFY_TEST_STACK=1 $(PYTEST) tests/contract/test_store.py tests/contract/test_moments_store.py

chaos: setup ## Kill, stop and cut off everything at random while syncs run (ARGS="--minutes 5 --seed 1")
	GRPC_VERBOSITY=ERROR $(PY) -m tests.fault.chaos $(ARGS)

check: lint test-fast ## What every commit must pass: lint, unit and contract tests; about two minutes on two cores

lint: lint-code lint-imports lint-protos lint-files ## Style, types, import rules, contracts, files in step

lint-code: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(SOURCES) tests scripts docs/api

lint-imports: setup
	$(BIN)/lint-imports

lint-protos: setup
	$(PY) scripts/protos.py check

lint-files: setup
	$(PY) scripts/files.py

bench: $(BENCHES) ## All benches, or one: bench-NAME runs tests/bench/bench_NAME.py; figures to bench-results/

$(BENCHES): bench-%: setup
	$(PY) -m tests.bench.bench_$* $(ARGS)

proto: setup ## Generate protos/gen from the contracts
	$(PY) scripts/protos.py generate

gateway: setup ## Write deploy/envoy from the contracts and the settings' defaults
	cd deploy/envoy && env -i PATH="$$PATH" ../../$(BIN)/rookify gateway-config --out .

openapi: setup ## Write docs/api/openapi.json from the contracts
	$(PY) -m scripts.openapi

env-example: setup ## Write .env.example from the settings
	$(PY) scripts/env_example.py

requirements: setup ## Pin requirements/*.in again (UPGRADE=1: to the newest that fit)
	sh scripts/requirements.sh $(if $(UPGRADE),--upgrade)

clean: ## Remove what was made here: .venv, caches, builds, bench results; never data or .env
	rm -rf .venv build dist bench-results .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
