# Every target sets up what it needs by itself: python3.11, pip, make and git are enough. uv is used
# where there is one, else fetched into the environment, else pip does the work.
#
#     make test PYTHON=python3.12      another interpreter, in an environment of its own (.venv-3.12)
#     make test ARGS="-k mesa"         more arguments for pytest

.DEFAULT_GOAL := help

ifeq ($(origin PYTHON), undefined)
  PYTHON := $(shell for p in python3.11 python3 python3.12 python3.13; do \
      $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
  VENV ?= .venv
else
  VENV ?= .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

BIN := $(VENV)/bin
WHEEL := dist/rehearse-$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)-py3-none-any.whl
SOURCES := pyproject.toml README.md LICENSE $(shell find rehearse agents environments policies experiments catalogue \
    -name __pycache__ -prune -o -type f -print)
ARGS ?=

# Try with uv; where it cannot be had, or cannot reach what pip is configured to reach, take pip.
uv = PATH="$(BIN):$$PATH" uv
pip = $(BIN)/python -m pip --disable-pip-version-check
install = $(uv) pip install --quiet --python $(BIN)/python $(1) 2>$(VENV)/uv.log || \
    { $(pip) install --quiet --upgrade pip && $(pip) install --quiet $(1); }

# By name, because a comma would end an argument of $(call).
tested := $(WHEEL)[sklearn,gym,onnx,drift,pictures]

.PHONY: help demo test check lint types imports wheel science faults bench worlds clean

help:  ## say what can be made
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.rehearse  ## rehearse the travel scenario; end with its verdict and report
	@out=runs/demo-$$(date +%Y%m%d-%H%M%S); code=0; \
	$(BIN)/rehearse run travel --out $$out || code=$$?; \
	case $$code in \
	    0) verdict=pass;; 1) verdict=fail;; 3) verdict=unsure;; \
	    *) echo "The rehearsal was not completed (exit code $$code)." >&2; exit $$code;; \
	esac; \
	echo; echo "Verdict: $$verdict"; echo "Report:  $$out/report.html"

test: $(VENV)/.rehearse $(VENV)/.tools  ## build the wheel, install it and run all tests against it
	OPENBLAS_NUM_THREADS=1 PYTHONSAFEPATH=1 $(BIN)/pytest -n auto $(ARGS)

check: lint types imports  ## lint, types and import contracts

lint: $(VENV)/.tools  ## style and the house rules (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tools  ## strict types (mypy)
	$(BIN)/mypy -p rehearse

imports: $(VENV)/.tools  ## who may import whom (import-linter)
	$(BIN)/lint-imports

wheel: $(WHEEL)  ## build the wheel in dist/ (from the source distribution, which is built first)

science: $(VENV)/.rehearse $(VENV)/.tools  ## only the tests against published and independent results
	OPENBLAS_NUM_THREADS=1 PYTHONSAFEPATH=1 $(BIN)/pytest -m science $(ARGS)

faults: $(VENV)/.rehearse $(VENV)/.tools  ## every kind of fault, at every rate, with every scenario (15 minutes)
	REHEARSE_FAULTS=all OPENBLAS_NUM_THREADS=1 PYTHONSAFEPATH=1 $(BIN)/pytest -n auto $(ARGS) \
	    tests/run/test_faults_of_a_run.py

bench: $(VENV)/.rehearse $(VENV)/.tools  ## measure speed and memory, rewrite docs/performance.md (20 minutes)
	OPENBLAS_NUM_THREADS=1 PATH="$(BIN):$$PATH" $(BIN)/python benchmarks/bench.py --peers $(ARGS)

worlds: $(VENV)/.rehearse $(VENV)/.tools  ## measure every world beside objects, rewrite its table (5 minutes)
	OPENBLAS_NUM_THREADS=1 PATH="$(BIN):$$PATH" $(BIN)/python benchmarks/worlds.py $(ARGS)

clean:  ## remove environments, builds and caches; runs stay
	rm -rf .venv .venv-* dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find rehearse agents environments policies experiments tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Without ensurepip (some distributions leave it out) the interpreter's own pip fills the environment.
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (once)"
	@$(PYTHON) -m venv --clear $(VENV) >$(VENV).log 2>&1 || { \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@rm -f $(VENV).log
	@command -v uv >/dev/null || $(pip) install --quiet uv || echo "uv cannot be had: pip does the work"
	@touch $@

$(WHEEL): $(SOURCES) | $(VENV)/.made
	@$(uv) build --quiet --python $(BIN)/python --out-dir dist 2>$(VENV)/uv.log || \
	    $(pip) wheel --quiet --no-deps --wheel-dir dist .
	@touch $@

$(VENV)/.rehearse: $(WHEEL)
	@echo "Installing $(WHEEL)"
	@{ $(call install,"$(WHEEL)[fast]"); } || { \
	    echo "Compiled kernels (numba, pyarrow) cannot be had here, see above: going on without them" >&2; \
	    $(call install,$(WHEEL)); }
	@$(call install,--force-reinstall --no-deps $(WHEEL))
	@touch $@

$(VENV)/.tools: pyproject.toml | $(VENV)/.rehearse
	@$(call install,"$(tested)" --group dev)
	@touch $@
