PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo test learned lint types check house bench gallery clean

help:  ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python >= 3.11 is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

install: $(STAMP)  ## Make .venv and install the package in it, at pinned versions

demo: install  ## Run the quickstart scenario: five methods, a table and a figure
	$(BIN)/dadao-sim run scenarios/quickstart.yaml --out results/quickstart --overwrite

test: install  ## Run the whole test suite
	$(BIN)/python -m pytest

$(VENV)/.learned: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,learned]'
	touch $@

learned: $(VENV)/.learned  ## Install torch too, and test the learned local steps
	$(BIN)/python -m pytest tests/local_steps/learned tests/learning

lint: install  ## Style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## Types
	$(BIN)/mypy

check: lint types test  ## All that must pass before a commit

house: install  ## The floors of the package: who imports whom
	$(BIN)/python tests/house.py

bench: install  ## Speed, as ratios to programs written by hand
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/local_steps.py

gallery: $(VENV)/.learned  ## Run every scenario of the gallery and draw its figures again
	$(BIN)/python plots/make_gallery.py

clean:  ## Remove what was made, except results
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
