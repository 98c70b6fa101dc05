# make demo: train on real data, healthy and sick, and report on both.   make test: everything that must hold.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := tfhealth_runs
# What WeasyPrint needs for the PDF, and venv where Debian ships it apart.
APT := libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint docs clinic clean system

demo: $(VENV)/demo system
	@$(BIN)/python -c 'import sys; print("\n== A small CNN on handwritten digits, healthy ==", flush=True)'
	@$(BIN)/tfhealth run --out $(OUT) examples/digits.py
	@$(BIN)/python -c 'print("\n== The same, sick in two ways: raw pixels, and a learning rate of 0.1 ==", flush=True)'
	@$(BIN)/tfhealth run --out $(OUT) examples/digits.py --sick

test: $(VENV)/test system lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 40 $(TESTS)

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/test
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build

# No part of the tests, since it takes long: every program of the clinic at three seeds.
clinic: $(VENV)/test
	$(BIN)/python -m tests.clinic.table --seeds 3 --write docs/clinic.md

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tfhealth needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory apt PACKAGES="python3-venv"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/demo: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	@touch $@

$(VENV)/test: $(VENV)/demo
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

# Installed where that is allowed; elsewhere the line to run is printed, and reports are written as HTML only.
system:
	@dpkg -s $(APT) >/dev/null 2>&1 || $(MAKE) --no-print-directory apt PACKAGES="$(APT)" || true

.PHONY: apt
apt:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null && command -v apt-get >/dev/null; then \
	  sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	else \
	  echo "For PDF reports run: sudo apt-get install $(PACKAGES)"; false; \
	fi

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache
