# Two commands on a fresh machine: `make demo` and `make test`. Both make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo

.PHONY: demo test check bench calibrate calibrate-quick schema docs-figure clean help

help:  ## Say what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "phmri needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@# Debian ships Python without its venv module; root can mend that, others are told how.
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    apt-get update -q && apt-get install -qy python3-venv; } || \
	  { echo "python3-venv is missing: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## Simulate a small trial at full size, analyse it, say where the report is
	$(BIN)/phmri demo weigner2025 $(DEMO)

test: $(READY) check  ## Run all checks and tests
	@# Files in order: in xdist's own, by number of tests, the longest would run alone at the end.
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

check: $(READY)  ## Style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell src docs tests examples benchmarks README.md CONTRIBUTING.md
	@# The two slow ones side by side.
	$(BIN)/mypy & types=$$!; \
	$(BIN)/lint-imports --no-cache && $(BIN)/numpydoc lint $$(git ls-files 'src/phmri/*.py'); \
	style=$$?; wait $$types && exit $$style

bench: $(READY)  ## Time against named peers: all, or one by `make bench B=seed_connectivity`
	$(BIN)/python benchmarks/run.py $(B)

calibrate: $(READY)  ## Error rates of whole pipelines in 1000 simulated trials per design: hours
	$(BIN)/python benchmarks/calibrate.py

calibrate-quick: $(READY)  ## The same in a few trials, as `make test` does
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/calibration/test_whole_pipeline.py

lock: $(READY)  ## Renew requirements.lock
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --upgrade --group test pyproject.toml -o requirements.lock

schema: $(READY)  ## Write the protocol's JSON schema anew
	$(BIN)/python -m phmri.protocol

clean:  ## Remove the environment and the demo
	rm -rf $(VENV) $(DEMO)
