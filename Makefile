# `make help` lists what there is. Paths are relative: the tree may stand in a folder with spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Python that .venv is made with: python3 where it is one of 3.11 to 3.13, else the first of those that is found.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 \
	&& command -v "$$name" && break; done)
RUN := .venv/bin/python -m
CHECKED = artifact publisher loader_cdn tools tests $(wildcard function_app.py)
FUZZ_RUNS ?= 20000
WORKERS ?= 2

.PHONY: help install demo up test lint bench model examples cluster bases fuzz soak lock clean

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: ## .venv with both commands, Node where it is missing, and Azurite; nothing outside this folder
	@python='$(PYTHON)'; if [ -z "$$python" ]; then \
		echo 'No Python 3.11, 3.12 or 3.13 was found. Install one, or name it: make PYTHON=/path/to/python3 install' >&2; \
		exit 2; fi; \
	"$$python" -m tools.setup

demo: examples ## the whole story on this machine: publish, deliver, update, refuse a forgery, roll back
	@$(RUN) tools.local.demo

up: install ## storage, the Functions app and the edge, until Ctrl-C; addresses in .local/endpoints.json
	@$(RUN) tools.local.up

test: examples ## every test; what is skipped, and why, is said at the end (CI=true: that is a failure)
	@$(RUN) tools.setup worker || [ "$$CI" != true ]
	@$(RUN) pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

lint: install ## ruff, mypy --strict and the directions of import
	@$(RUN) ruff check $(CHECKED)
	@$(RUN) ruff format --check $(CHECKED)
	@$(RUN) mypy $(CHECKED)
	@$(RUN) pytest --quiet tests/test_imports.py

bench: examples ## the figures of docs/BENCHMARKS.md, side by side with the peers that are installed
	@$(RUN) tools.bench $(ARGS)

model: install ## the figures of docs/PERFORMANCE_MODEL.md: what polling costs, computed and simulated
	@$(RUN) tools.model $(ARGS)

examples: install ## the example features, built by Vite
	@$(RUN) tools.setup examples

cluster: install ## Helm and a Kubernetes API server, for tests, built by Go; kept outside this folder, in the user's cache
	@$(RUN) tools.setup cluster

bases: install ## what tests build the loader's image from without a registry, by debootstrap as root; kept in the user's cache
	@$(RUN) tools.setup bases

fuzz: install ## every parser with FUZZ_RUNS generated inputs (20000)
	@$(RUN) tools.setup fuzz
	@$(RUN) tests.fuzz --runs $(FUZZ_RUNS)

soak: install ## twenty minutes of random faults around the loader, as root with a full disk, too; ARGS="--minutes 5 --seed 7"
	@$(RUN) tests.soak $(ARGS)

lock: install ## make the locks in requirements/ anew from pyproject.toml; UPGRADE=1 takes newer versions
	@$(RUN) tools.setup lock
	@$(RUN) tools.setup.lock $(if $(UPGRADE),--upgrade)

clean: ## remove all that the other targets made
	rm -rf .venv .local .mypy_cache .pytest_cache .ruff_cache .hypothesis tools/azurite/node_modules examples/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
