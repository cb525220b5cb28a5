# Two commands do everything on a fresh machine: make report, make test.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := build
SCALE  := $(or $(FINHASH_SCALE),full)
DONE   := $(BUILD)/done

NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
STAMPS    := $(NOTEBOOKS:notebooks/%.ipynb=$(DONE)/%.done)
# Restyling a figure or rewording the report must not measure again.
DRAWING   := $(addprefix finhash/study/,plots.py publish.py part1.py part2.py rounding.py notebooks.py)
SOURCES   := $(filter-out $(DRAWING),$(wildcard finhash/*.py finhash/*/*.py finhash/study/assets/*))
FIGURES   := finhash/study/plots.py finhash/study/finhash.mplstyle
APT       := latexmk texlive-latex-recommended texlive-fonts-recommended texlive-extra-utils lmodern
LATEX     := latexmk pdflatex bibtex texcount

export FINHASH_SCALE := $(SCALE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

## report: run every notebook and build report/report.pdf (about 30 minutes)
.PHONY: report
report: notebooks
	@$(MAKE) --no-print-directory pdf

## quick: the same at quick scale, 2,000 pictures (about 4 minutes)
.PHONY: quick
quick:
	@$(MAKE) --no-print-directory report FINHASH_SCALE=quick

## test: lint, unit and property tests, all notebooks and the report at smoke scale
.PHONY: test
test: env latex-if-root lint
	$(BIN)/python -m pytest

## notebooks: run the notebooks whose inputs have changed, in order, in place
.PHONY: notebooks
notebooks: $(STAMPS)

## pdf: build report/report.pdf from the results as they are
.PHONY: pdf
pdf: report/report.pdf

## figures: draw all figures again from the results as they are
.PHONY: figures
figures: $(DONE)/figures

## env: create .venv with the locked packages
.PHONY: env
env: $(VENV)/installed

## lint: ruff's checks and formatting
.PHONY: lint
lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

## lock: resolve requirements.lock again from pyproject.toml (needs uv)
.PHONY: lock
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --extra cluster --extra study --extra dev --no-emit-index-url --no-header \
	    pyproject.toml --output-file requirements.lock

## clean: remove what was built, but no pictures, results or environment
.PHONY: clean
clean:
	rm -rf $(BUILD) .pytest_cache .ruff_cache
	find finhash tests -name __pycache__ -prune -exec rm -rf {} +

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## //p' Makefile | awk -F': ' '{printf "make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or later is needed; say which with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] \
	    && apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# Each notebook follows the one before it: they share the pictures, and must not be timed together.
define NOTEBOOK
$(DONE)/$(1).done: notebooks/$(1).ipynb $(SOURCES) $(DONE)/inputs $(2) | $(VENV)/installed
	$(BIN)/python -m finhash.study.notebooks notebooks/$(1).ipynb
	@touch $$@
endef
previous :=
$(foreach name,$(NOTEBOOKS:notebooks/%.ipynb=%),\
    $(eval $(call NOTEBOOK,$(name),$(previous)))\
    $(eval previous := $(DONE)/$(name).done))

# Scale and data set are inputs too: the file changes only when they do.
$(DONE)/inputs: FORCE
	@mkdir -p $(@D)
	@echo "$(SCALE) $(FINHASH_TEMPLATES) $(FINHASH_DAS_IMAGES)" | cmp -s - $@ \
	    || echo "$(SCALE) $(FINHASH_TEMPLATES) $(FINHASH_DAS_IMAGES)" > $@
FORCE:

$(DONE)/figures: $(FIGURES) $(wildcard data/results/*.csv) | $(VENV)/installed
	@mkdir -p $(@D)
	$(BIN)/python -m finhash.study.plots
	@touch $@

report/report.pdf: report/report.tex report/references.bib $(wildcard data/results/*.csv) \
    $(DONE)/figures $(addprefix finhash/study/,publish.py part1.py part2.py rounding.py) | $(VENV)/installed
	@$(MAKE) --no-print-directory latex
	$(BIN)/python -m finhash.study.publish

# LaTeX: installed where we may, asked for where we may not.
.PHONY: latex latex-if-root
latex:
	@for tool in $(LATEX); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "installing LaTeX"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	            apt-get install -y -qq --no-install-recommends $(APT) >/dev/null; \
	    else \
	        echo "The report needs:$$missing. On Debian or Ubuntu:"; \
	        echo "    sudo apt-get install --no-install-recommends $(APT)"; \
	        echo "Notebooks and figures are made without it; then run 'make pdf'."; exit 1; \
	    fi; \
	fi

latex-if-root:
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory latex; fi
