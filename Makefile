# What people and CI call alike. Needs Python >= 3.11 and the package registry; `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
WORKERS ?= 2
# Ten times what the suite takes: whatever hangs, `make test` ends.
TEST_LIMIT_SECONDS ?= 1800
SALEOR_SRC ?= $(HOME)/saleor

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-saleor lint bench bench-saleor features lock clean
MAKEFLAGS += --no-print-directory

help:
	@echo "make demo         a shop with the CRM in it: plays the story, then serves it (SERVE=0: ends after the story)"
	@echo "make test         the test suite (ARGS='-k price' is handed to pytest)"
	@echo "make test-saleor  the tests that need Saleor, in the Saleor of SALEOR_SRC (now $(SALEOR_SRC))"
	@echo "make lint         ruff, mypy, import contracts, missing migrations, GraphQL snapshot, lock files"
	@echo "make bench        speed beside its limits, as ratios (ROW=drain runs one)"
	@echo "make bench-saleor  Saleor's own mutations with the plugin on and off, in the Saleor of SALEOR_SRC"
	@echo "make features     what the product can do and which tests prove it (ROWS=1-35,56 asks for a range)"
	@echo "make setup        the virtual environment in $(VENV); the others call it"
	@echo "make lock         requirements/ anew from setup.cfg (needs uv)"

setup: $(VENV)/.ready

$(VENV)/.ready: requirements/dev.txt setup.cfg pyproject.toml scripts/install.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ...")'
	@echo "make setup: virtual environment $(VENV)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) scripts/install.py || { echo "make setup: FAILED"; exit 1; }
	@touch $@
	@echo "make setup: done"

demo: setup
	@$(PY) -m demo

test: setup
	@$(PY) -m demo.services.postgres --limit-seconds $(TEST_LIMIT_SECONDS) -- $(PY) -m pytest -n $(WORKERS) --dist worksteal -q $(ARGS) \
		&& echo "make test: passed" || { echo "make test: FAILED"; exit 1; }

test-saleor:
	@SALEOR_SRC="$(SALEOR_SRC)" sh tests/saleor/run.sh $(ARGS) \
		&& echo "make test-saleor: passed" || { echo "make test-saleor: FAILED"; exit 1; }

lint: setup
	@$(PY) scripts/lint.py && echo "make lint: passed" || { echo "make lint: FAILED"; exit 1; }

bench: setup
	@$(PY) -m demo.services.postgres --durable -- $(PY) -m benchmarks $(ROW) \
		&& echo "make bench: every row holds" || { echo "make bench: FAILED"; exit 1; }

bench-saleor:
	@PYTHONPATH=".:$(SALEOR_SRC)" "$(SALEOR_SRC)/.venv/bin/python" -m benchmarks.saleor_mutation $(ROW) \
		&& echo "make bench-saleor: every row holds" || { echo "make bench-saleor: FAILED"; exit 1; }

features: setup
	@$(PY) -m tests.features $(if $(ROWS),--rows $(ROWS))

lock:
	@uv pip compile setup.cfg --extra email --extra sms --extra push --extra oscar --extra dev --universal --python-version 3.11 --upgrade --quiet \
		--no-emit-index-url --no-emit-find-links --no-strip-extras --custom-compile-command "make lock" \
		--output-file requirements/dev.txt
	@echo "make lock: requirements/dev.txt written"

clean:
	@rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache *.egg-info
	@echo "make clean: done"
