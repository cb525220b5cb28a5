# Two commands do everything on a fresh machine: make report, make test.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SCALE  := $(or $(FINHASH_SCALE),full)
# Results, figures, executed notebooks and the PDF go to this folder. Only 'make report' sets it to
# the checkout, and not if you use your own images; any other run leaves committed files as they are.
OUT    := $(abspath $(or $(FINHASH_OUT),build))
OWN    := $(or $(FINHASH_DAS_IMAGES),$(filter-out %/unpacked,$(wildcard data/das_images/*)))
STAMPS := $(OUT)/.stamps

NOTEBOOKS := $(basename $(notdir $(sort $(wildcard notebooks/*.ipynb))))
REPORT    := finhash/study/report
DRAWING   := $(wildcard $(REPORT)/figures*.py $(REPORT)/style.py $(REPORT)/finhash.mplstyle)
PRINTING  := $(wildcard $(addprefix $(REPORT)/,available.py build.py claims/*.py quoted.py rounding.py sentences.py tables.py))
RESULTS   := $(wildcard $(OUT)/data/results/*.csv data/results/*.csv)
# One test process per core, at most four; the tests of a file share their fixtures in one process.
SPREAD    := -n auto --maxprocesses 4 --dist loadfile
LONG      := fuzz volume faults soak platforms options memory
APT       := latexmk texlive-latex-recommended texlive-fonts-recommended texlive-extra-utils lmodern
LATEX     := latexmk pdflatex bibtex texcount

export FINHASH_SCALE := $(SCALE)
export FINHASH_OUT   := $(OUT)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

## report: run all notebooks, build report/report.pdf (20 minutes); your own images go into build/
.PHONY: report
report: FINHASH_OUT := $(if $(OWN),$(OUT),$(CURDIR))
report:
	@$(MAKE) --no-print-directory notebooks FINHASH_OUT=$(FINHASH_OUT)
	@$(MAKE) --no-print-directory pdf FINHASH_OUT=$(FINHASH_OUT)

## quick: run all notebooks and build the report on 2,000 images, into build/ (6 minutes)
.PHONY: quick
quick:
	@$(MAKE) --no-print-directory notebooks FINHASH_SCALE=quick
	@$(MAKE) --no-print-directory pdf FINHASH_SCALE=quick

## test: lint, then all tests, notebooks and report at smoke scale included (12 minutes)
.PHONY: test
test: env latex-if-root lint
	$(BIN)/python -m pytest $(SPREAD)

## fast: run the tests that are not marked slow (under 90 seconds)
.PHONY: fast
fast: env
	$(BIN)/python -m pytest $(SPREAD) -m "not slow"

## packages: build wheel and sdist, install and use them in bare environments (15 minutes)
.PHONY: packages
packages: export PYENV_VERSION = $(shell pyenv versions --bare 2>/dev/null | paste -sd: -)
packages: env
	$(BIN)/python -m pytest tests/packaging

## soak: long runs on mutated files, a million images, faults and killed workers (2 hours)
.PHONY: soak
soak: export PYENV_VERSION = $(shell pyenv versions --bare 2>/dev/null | paste -sd: -)
soak: env
	$(foreach name,$(LONG),$(BIN)/python -m finhash.study.reliability.$(name) && )true
	$(MAKE) --no-print-directory packages

## notebooks: run each notebook whose code, modules or data have changed
.PHONY: notebooks
notebooks: $(NOTEBOOKS:%=$(STAMPS)/%)

## figures: draw all figures from the results as they are
.PHONY: figures
figures: $(STAMPS)/figures

## pdf: build the report from the results as they are
.PHONY: pdf
pdf: $(OUT)/report/report.pdf

## html: turn all notebooks into web pages, in build/html/
.PHONY: html
html: env
	$(BIN)/jupyter nbconvert --to html --output-dir $(OUT)/html --template finhash \
	    --TemplateExporter.extra_template_basedirs=$(REPORT)/template \
	    $(or $(wildcard $(OUT)/notebooks/*.ipynb),$(wildcard notebooks/*.ipynb))

## lab: open the notebooks in JupyterLab
.PHONY: lab
lab: env
	$(BIN)/jupyter lab notebooks

## env: create .venv with the locked packages
.PHONY: env
env: $(VENV)/installed

## lint: check code style, formatting and which module may import which
.PHONY: lint
lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

## lock: resolve requirements.lock again from pyproject.toml
.PHONY: lock
lock: env
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --extra cluster --extra evaluate --extra pdq --group study --group dev \
	    --no-emit-index-url --no-header pyproject.toml --output-file requirements.lock

## audit: look up known vulnerabilities of the locked packages, over the network
.PHONY: audit
audit: env
	$(BIN)/uv tool run pip-audit --strict --disable-pip --require-hashes -r requirements.lock

## clean: remove build/, with the results of quick runs, and caches; keep the rest
.PHONY: clean
clean:
	rm -rf build .stamps .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find finhash tests -name __pycache__ -prune -exec rm -rf {} +

## help: list the targets
.PHONY: help
help:
	@sed -n 's/^## //p' Makefile | awk -F': ' '{printf "make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or later is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] \
	    && apt-get update -qq && apt-get install -y -qq python3-venv; } \
	    || { echo "Python's venv is missing: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# A notebook runs again if its digest changes. The digest covers its code cells, the imported modules
# without docstrings and comments, data, scale, and the results that it loads. Notebooks run one at a
# time, because two would disturb each other's timings.
.PHONY: digests
digests: | $(VENV)/installed
	@$(BIN)/python -m finhash.study.report.notebooks digests

$(NOTEBOOKS:%=$(STAMPS)/%.digest): digests
	@:

define NOTEBOOK
$(STAMPS)/$(1): $(STAMPS)/$(1).digest notebooks/$(1).ipynb | $(2)
	$(BIN)/python -m finhash.study.report.notebooks run $(1)
endef
previous :=
$(foreach name,$(NOTEBOOKS),\
    $(eval $(call NOTEBOOK,$(name),$(previous)))\
    $(eval previous := $(STAMPS)/$(name)))

$(STAMPS)/figures: $(DRAWING) $(RESULTS) | $(VENV)/installed
	$(BIN)/python -m finhash.study.report.figures
	@mkdir -p $(@D) && touch $@

$(OUT)/report/report.pdf: $(wildcard report/*.tex) report/references.bib $(PRINTING) $(RESULTS) \
    $(STAMPS)/figures | $(VENV)/installed
	@$(MAKE) --no-print-directory latex
	$(BIN)/python -m finhash.study.report.build

# Install LaTeX if root; otherwise print the command that does.
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
