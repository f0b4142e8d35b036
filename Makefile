# Everything a person does here. Python 3.11 or newer and make are all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Where this is set, every one of Dagster's processes compiles all its imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo ui serve test test-slow test-third-party crash lint bench docs clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Real data through Dagster into a DuckDB file, in under three minutes
	@$(BIN)/python -m demo load $(ARGS)

ui: $(VENV)/.demo ## The demo's API server and Dagster's UI, until Ctrl-C
	@$(BIN)/python -m demo ui $(if $(PORT),--port $(PORT)) $(ARGS)

serve: $(VENV)/.demo ## Only the demo's API server, for the tutorial, until Ctrl-C
	@$(BIN)/python -m demo serve $(if $(PORT),--port $(PORT)) $(ARGS)

test: $(VENV)/.dev ## The tests that CI runs
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(VENV)/.dev ## The tests that take long
	$(BIN)/python -m pytest -m slow $(ARGS)

test-third-party: $(VENV)/.dev ## The tests against servers that others wrote
	$(BIN)/python -m pytest -m third_party $(ARGS)

crash: $(VENV)/.dev ## Loads killed at random instants: no row lost, none doubled
	$(BIN)/python -m pytest -m slow -k crash $(ARGS)

lint: $(VENV)/.dev ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

BENCH ?= $(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))
bench: $(VENV)/.dev ## Rows per second and memory; see benchmarks/
	@set -e; for one in $(BENCH); do echo "== $$one"; $(BIN)/python -m benchmarks.$$one $(ARGS); done

docs: $(VENV)/.dev ## Run what the documentation says
	$(BIN)/python -m pytest tests/docs $(ARGS)

clean: ## Remove the environment and everything made here
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Nothing is compiled ahead: of 400 MB a run imports a fraction, and compiles that once. A stamp is
# made last, so that an interrupted install starts over.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[$(1)]'
	touch $(2)
endef

$(VENV)/.demo: pyproject.toml
	$(call install,demo$(,)ui$(,)mcp,$@)

$(VENV)/.dev: pyproject.toml
	$(call install,dev,$@ $(VENV)/.demo)

, := ,
