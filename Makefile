# make demo   the trial this project was born from, from study file to report, in ./demo
# make test   every check and every test            make check   format, lint, types, floors
# make bench  the benchmarks                        make setup   only the virtual environment
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode -p $(VENV) -c constraints.txt

.PHONY: demo test check bench setup dev pictures clean
.DEFAULT_GOAL := demo

demo: setup
	$(BIN)/onearm demo --out demo

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "onearm needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) (about half a minute the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python cannot make a virtual environment here; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@$(UV) -e ".[pg]"
	@$(BIN)/python -m compileall -q src
	@touch $@

dev: $(VENV)/.dev-ready

$(VENV)/.dev-ready: $(VENV)/.ready
	@$(UV) -e ".[pg]" --group dev
	@touch $@

check: dev
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: check
	@bash .ci/chromium
	$(BIN)/pytest -n 2 --dist loadgroup

bench: dev
	@for script in benchmarks/*.py; do echo; echo "== $$script"; $(BIN)/python $$script || exit 1; done

# The README's picture, from the demo's report; needs Chromium.
pictures: demo
	chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
	  --hide-scrollbars --window-size=1280,1010 --user-data-dir=$$(mktemp -d) \
	  --screenshot=docs/pictures/report.png file://$(CURDIR)/demo/report.html >/dev/null 2>&1

clean:
	rm -rf $(VENV) demo dist build .mypy_cache .ruff_cache .pytest_cache
