# Each target stands alone on a machine with Python 3.11, pip, git and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
EXTRAS := dev,demo,plots,convert,engines
# A worker that crashes ends the run as a failure; a replaced one would leave it waiting.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0

.PHONY: demo test fast torture notebooks lint types architecture check docs wheel lock clean

demo: $(READY)           ## train on real digits, export, send bytes to the SavedModel
	$(BIN)/tlkeras demo

test: $(READY)           ## every test
	$(PYTEST)

fast: $(READY)           ## the tests that take seconds
	$(PYTEST) -m "not slow"

torture: $(READY)        ## kills, hostile files, full disks: an hour at most, one table
	$(BIN)/python -m tests.torture

notebooks: $(VENV)/.notebook  ## every notebook with a real kernel; fails when a cell fails
	$(BIN)/python scripts/run_notebooks.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

architecture: $(READY)
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sizes.py

check: lint types architecture

docs: $(VENV)/.docs      ## the site, in build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(VENV)/.package  ## built, looked through, installed in a clean environment, used from there
	rm -rf build/lib build/bdist* dist
	$(BIN)/python -m build --quiet --wheel
	$(BIN)/twine check --strict dist/*.whl
	$(BIN)/python scripts/check_wheel.py --try dist/*.whl

# What only these need comes on top of the environment; from PyTorch one notebook imports.
$(VENV)/.notebook: MORE := ,torch
$(VENV)/.docs $(VENV)/.package $(VENV)/.notebook: $(VENV)/.%: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[$*$(MORE)]"
	touch $@

# The environment is made once, and again when what it is made of changes.
$(READY): pyproject.toml constraints.txt
	@echo "Installing into $(VENV): packages of about 3 GB, some minutes at the first time."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

lock:                    ## resolve the tested set anew, the core as pinned in constraints-core.txt
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --constraint constraints-core.txt \
		--editable ".[$(EXTRAS),torch,docs,package,notebook]"
	build/lock/bin/python scripts/lock.py > constraints.txt.tmp && mv constraints.txt.tmp constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info demo
