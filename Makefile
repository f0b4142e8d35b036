# Everything a person does here. Python 3.11 or newer and make are all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Where this is set, every one of Dagster's processes compiles all its imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo ui serve test test-fast test-slow test-third-party test-versions crash lint bench docs reference pictures build clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Real data through Dagster into a DuckDB file, in under three minutes
	@$(BIN)/python -m demo load $(ARGS)

ui: $(VENV)/.demo ## The demo's API server and Dagster's UI, until Ctrl-C
	@$(BIN)/python -m demo ui $(if $(PORT),--port $(PORT)) $(ARGS)

serve: $(VENV)/.demo ## Only the demo's API server, for the tutorial, until Ctrl-C
	@$(BIN)/python -m demo serve $(if $(PORT),--port $(PORT)) $(ARGS)

test: $(VENV)/.dev ## The tests that CI runs, on every core
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-fast: $(VENV)/.dev ## The tests that start no process and no server of others, while you work
	$(BIN)/python -m pytest -n auto -x tests/spec tests/runtime/answers tests/runtime/body tests/runtime/rows $(ARGS)

test-slow: $(VENV)/.dev ## The tests that take long
	$(BIN)/python -m pytest -m slow $(ARGS)

test-third-party: $(VENV)/.dev ## The tests against servers that others wrote
	$(BIN)/python -m pytest -m third_party $(ARGS)

test-versions: $(VENV)/.dev ## Install and test beside the newest and the oldest releases allowed
	$(BIN)/python -m tests.versions $(ARGS)

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

reference: $(VENV)/.dev ## The pages of docs/reference that are generated, made anew
	@set -e; for one in spec cli lint python kafka; do $(BIN)/connector-assets docs $$one > .made; mv .made docs/reference/$$one.md; done
	@set -e; for one in connector connection lock; do $(BIN)/connector-assets schema $$one > .made; mv .made docs/reference/$$one.schema.json; done
	@$(BIN)/connector-assets docs catalogue > .made; mkdir -p docs/catalogue; mv .made docs/catalogue/README.md
	@$(BIN)/connector-assets docs llms > .made; mv .made docs/llms.txt

pictures: $(VENV)/.demo ## The pictures of docs/img, taken anew in a Chromium that is installed
	test -x .pictures/bin/python || $(PYTHON) -m venv .pictures
	.pictures/bin/python -m pip install --quiet --disable-pip-version-check --requirement pictures/requirements.txt
	.pictures/bin/python -m pictures --venv $(abspath $(VENV)) $(ARGS)

build: $(VENV)/.dev ## A wheel and an sdist in dist/, checked in a fresh environment
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	DIST=$(CURDIR)/dist $(BIN)/python -m pytest -m slow tests/test_build.py $(ARGS)

clean: ## Remove the environment and everything made here
	rm -rf $(VENV) .pictures .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
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
