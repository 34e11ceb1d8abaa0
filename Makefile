# Two commands do everything on a fresh machine: `make quickstart` and `make test`.
# TORCH picks the torch build, e.g. `make test TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cu128"`.
TORCH  ?= torch==2.13.0
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready
OPS     = .venv-ops

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-reliability test-bases lint package docs ops benchmark clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

quickstart: $(READY)  ## Demo data, four small trainings, one report.html (2 cores: 5 minutes)
	$(BIN)/ssdet quickstart

test: $(READY)  ## The test suite without its long tests
	$(BIN)/python -m pytest -n 2 -m "not long and not bases" $(ARGS)

test-reliability: $(VENV)/.slurm  ## The long tests: every kill, much hostile input (12 minutes)
	$(BIN)/python -m pytest -n 2 -m long $(ARGS)

test-bases: $(READY)  ## Init and a dry run with every short name and 41 configs
	$(BIN)/python -m pytest -n 2 -m bases $(ARGS)

lint: $(READY)  ## Ruff (lint and format) and mypy
	$(BIN)/ruff check ssdet tools tests setup.py
	$(BIN)/ruff format --check ssdet tools tests setup.py
	$(BIN)/mypy

package: $(READY)  ## Build sdist and wheel, and try the wheel in an empty environment (1 minute)
	$(BIN)/python tools/check_package.py

docs: $(VENV)/.docs  ## The site of the documentation, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

ops: $(OPS)/.ready  ## Compile mmcv in .venv-ops (10 minutes) and compare ssdet.ops with it
	$(OPS)/bin/python -W ignore tools/record_ops.py --check
	$(OPS)/bin/python -m pytest tests/ops -q

benchmark: $(READY)  ## Time the operators (beside compiled mmcv after `make ops`)
	$(if $(wildcard $(OPS)/.ready),$(OPS),$(VENV))/bin/python tools/benchmark_ops.py

$(OPS)/.ready: setup.py pyproject.toml $(wildcard requirements/*.txt) tools/bootstrap.py
	$(PYTHON) tools/bootstrap.py $(OPS) --torch '$(TORCH)' --compile-mmcv
	@touch $@

$(READY): setup.py pyproject.toml $(wildcard requirements/*.txt) tools/bootstrap.py
	$(PYTHON) tools/bootstrap.py $(VENV) --torch '$(TORCH)'
	@touch $@

$(VENV)/.docs: $(READY) requirements/docs.txt
	$(BIN)/python -m pip install --quiet -r requirements/docs.txt
	@touch $@

$(VENV)/.slurm: $(READY) requirements/slurm.txt
	$(BIN)/python -m pip install --quiet -r requirements/slurm.txt
	@touch $@

clean:  ## Remove what the other commands made
	rm -rf $(VENV) $(OPS) site quickstart work_dirs build *.egg-info
