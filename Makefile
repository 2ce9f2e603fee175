PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONSTRAINTS := constraints.txt

# A worker per core, each with one BLAS thread, and whole files to a worker: a file's tests share
# fixtures and compiled kernels.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile
ATTACKS ?= 20
SECONDS ?= 600

.PHONY: help install demo quick test cover torture soak learned browser docs matrix lint types check house \
	methods notebooks bench gallery clean

help:  ## What can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python >= 3.11 is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev]'
	touch $@

install: $(STAMP)  ## Make .venv and install the package in it, at pinned versions

demo: install  ## Run the quickstart scenario: five methods, a table and a figure
	$(BIN)/dadao-sim run scenarios/quickstart.yaml --out results/quickstart --overwrite

quick: install  ## The tests that take less than about half a second each: before each commit
	$(PYTEST) -m 'not slow and not torture' --durations 5 --durations-min 5

test: install  ## Run the whole test suite, on all cores
	$(PYTEST)

cover: install  ## The same, and which lines of Python it never runs
	$(PYTEST) --cov
	@echo 'Lines of Python: what is compiled counts only where it also runs as plain Python.'

torture: install  ## Long attacks: drawn examples ATTACKS times over, other ones each time
	env -u CI $(PYTEST) -m 'hypothesis or torture' --attacks $(ATTACKS)

soak: install  ## Ten minutes (SECONDS=600) of scenarios in one process, whose memory must stay flat
	cd tests && OMP_NUM_THREADS=1 ../$(BIN)/python soak.py $(SECONDS)

$(VENV)/.learned: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev,learned,deep]'
	touch $@

learned: $(VENV)/.learned  ## Install torch and jax too, and test the learned local steps
	$(PYTEST) tests/local_steps/learned tests/learning \
		'tests/test_pages.py::test_a_page_works_as_written[docs/local-steps.md]' \
		'tests/test_pages.py::test_a_page_works_as_written[docs/systems/meeting.md]'

browser: install  ## Open pages in Chromium, where there is one: light, dark, on a desk and on a phone
	$(PYTEST) -m browser

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev,docs]'
	touch $@

docs: $(VENV)/.docs  ## Build the site of the documentation into site/, warnings as errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

CELLS := 3.11-lowest 3.11-pinned 3.13-pinned
matrix: $(addprefix matrix-,$(CELLS))  ## `quick` with the lowest and the pinned versions, by Python

# matrix-PYTHON-VERSIONS, each in an environment of its own. What is lowest may warn of what is new.
matrix-%-lowest: CONSTRAINTS := constraints-lowest.txt
matrix-%-lowest: export PYTEST_ADDOPTS := -W default --disable-warnings
matrix-%:
	@python=python$(firstword $(subst -, ,$*)); \
	if $$python -c '' 2>/dev/null; then \
		$(MAKE) quick PYTHON=$$python VENV=.venv-$* CONSTRAINTS=$(CONSTRAINTS); \
	else echo "$@ skipped: there is no $$python"; fi

lint: install  ## Style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## Types
	$(BIN)/mypy

check: lint types test  ## All that must pass before a commit

house: install  ## The floors of the package: who imports whom
	$(BIN)/python tests/house.py

methods: install  ## Write the README's table of methods again, after one was added or changed
	$(BIN)/python tests/method_table.py

notebooks: install  ## Run the notebooks of docs/notebooks again, and store what they show
	cd tests && ../$(BIN)/python notebooks.py

bench: install  ## Speed, as ratios to programs written by hand
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/threads.py
	$(BIN)/python benchmarks/local_steps.py

gallery: $(VENV)/.learned  ## Draw the gallery, of runs that are kept or made (GALLERY=--again: all made)
	$(BIN)/python plots/make_gallery.py $(GALLERY)

clean:  ## Remove what was made, except results
	rm -rf .venv* .coverage* build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
