# One command for everything. Needs Python >= 3.11 and make; the rest is installed into .venv.
PYTHON ?= $(shell for v in 3.13 3.12 3.11 3; do \
	p=$$(command -v python$$v) && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
export UV := $(abspath $(BIN)/uv)
export UV_PYTHON := $(abspath $(BIN)/python)
export SAM_CLI_TELEMETRY := 0
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help dev test test-long lint format build deploy bench clean

help:  ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/.synced: pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "Forebay needs Python 3.11 or newer; none was found." >&2; exit 1; }
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	$(UV) sync --frozen --quiet
	@touch $@

# The SAM CLI pins versions that would hold ours back, so it has an environment of its own.
.venv-sam/.synced: .venv/.synced
	UV_PROJECT_ENVIRONMENT=.venv-sam $(UV) sync --frozen --quiet --no-default-groups --only-group sam
	@touch $@

dev: .venv/.synced  ## Run the whole gateway on this machine (ARGS="--port 9000 --no-model").
	@exec $(BIN)/forebay dev $(ARGS)

lint: .venv/.synced  ## Style, types, and who may import whom.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.synced  ## Put the code into shape.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint .venv-sam/.synced  ## Everything that must hold before a change lands.
	$(BIN)/pytest -m "not long" -n 2 --dist loadfile $(ARGS)

test-long: lint .venv-sam/.synced  ## The same, and what takes longer.
	FOREBAY_TEST_PROFILE=exploring $(BIN)/pytest -n 2 --dist loadfile $(ARGS)

build: .venv-sam/.synced  ## Build the functions and layers for Lambda (arm64) into .aws-sam.
	.venv-sam/bin/sam build

deploy: build  ## Deploy into your AWS account (ARGS="--guided" the first time).
	.venv-sam/bin/sam deploy $(ARGS)

bench: .venv/.synced  ## Measure, and print ratios against a direct call.
	$(BIN)/python -m benchmarks

clean:  ## Remove what was built; the environments and local state stay.
	rm -rf .aws-sam build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
