# Two commands for a newcomer: `make demo` and `make test`. Both set up everything they need.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
TRAIN_STAMP := $(VENV)/.ready-to-train
# `make test TRAIN=no` leaves the training packages out (1.2 GB; more where pip brings a CUDA build of torch), and
# their tests are skipped.
TRAIN ?= yes

.PHONY: setup setup-train demo test lint notebook lock clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3.11 python3.11-venv, or set PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[analyst,mqtt,nats,dev]'
	touch $(STAMP)

setup-train: $(TRAIN_STAMP)

# torchvision without its dependencies, or it would replace torch by the build that it is linked to.
$(TRAIN_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchvision==0.28.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  torch==2.13.0 ultralytics-opencv-headless==8.4.190 -e '.[train]'
	touch $(TRAIN_STAMP)

demo: setup
	$(BIN)/huoyan demo --out demo

test: setup $(if $(filter yes,$(TRAIN)),setup-train)
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Executes docs/tour.ipynb in place; needed after a change of models or of what the notebook shows.
notebook: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[analyst,docs]'
	$(BIN)/python scripts/run_notebook.py

# The versions that a set-up a year from now gets too; run after changing dependencies in pyproject.toml.
lock:
	$(PYTHON) scripts/lock.py

clean:
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache
