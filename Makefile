# `make` lists what can be made. Every target sets up what it needs, on a machine that has only Python 3.11 or later.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
# Where this is set, nothing keeps its compiled form, and every command starts slowly.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-pythons test-versions lint format docs docs-serve pictures setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## from nothing to images: a local InvokeAI with tiny models, a run, a sweep, a contact sheet
	@$(BIN)/python demo/demo.py

test: $(READY) ## all tests, those against a real InvokeAI too (the first time it is installed: a minute or two)
	@$(BIN)/python -m pytest

test-unit: $(READY) ## the tests that need no server
	@$(BIN)/python -m pytest -q tests/unit

PYTHONS := 3.11 3.12 3.13

test-pythons: $(READY) ## the unit tests on the other supported versions of Python that are installed here
	@mine=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); failed=; \
	for version in $(PYTHONS); do \
	    if [ "$$version" = "$$mine" ]; then continue; fi; \
	    python=$$(sh tools/find_python.sh $$version) || continue; \
	    echo "==> Python $$version: $$python"; \
	    $(BIN)/uv venv --quiet --allow-existing --python "$$python" .cache/python-$$version \
	        && $(BIN)/uv pip install --quiet --python .cache/python-$$version -e '.[dev]' \
	        && .cache/python-$$version/bin/python -m pytest -q tests/unit || failed="$$failed $$version"; \
	done; \
	if [ -n "$$failed" ]; then echo "==> Failed on Python$$failed"; exit 1; fi

# What older servers serve of the contract; docs/compatibility.md says what they do not.
OLDER := 6.0.2 5.15.0
OLDER_TESTS := tests/spec tests/server/test_runs.py tests/server/test_results.py tests/server/test_images.py \
    tests/server/test_queue.py

test-versions: $(READY) ## the contract's tests on real servers of 6.0.2 and 5.15.0 (five minutes each)
	@failed=; \
	for version in $(OLDER); do \
	    echo "==> InvokeAI $$version: installed where it is missing, then the contract's tests on it"; \
	    INVOKEAI_TEST_VERSION=$$version $(BIN)/python -m pytest -q $(OLDER_TESTS) || failed="$$failed $$version"; \
	done; \
	if [ -n "$$failed" ]; then echo "==> Failed on InvokeAI$$failed"; exit 1; fi; \
	echo "==> Fine on InvokeAI $(OLDER)"

lint: $(READY) ## style, formatting and types
	@echo "==> ruff check" && $(BIN)/ruff check .
	@echo "==> ruff format --check" && $(BIN)/ruff format --check .
	@echo "==> pyright" && $(BIN)/pyright

format: $(READY) ## bring the code into shape
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: $(READY) ## the documentation site, in site/
	@$(BIN)/zensical build --strict --clean && echo "==> site/index.html"

docs-serve: $(READY) ## the documentation site at http://localhost:8000, built anew with every change
	@$(BIN)/zensical serve

pictures: $(READY) ## the pictures of README and docs, from a local InvokeAI (needs tmux)
	@PYTHONPATH=tests/support $(BIN)/python tools/pictures.py

setup: $(READY) ## make the development environment in .venv

$(READY): pyproject.toml
	@python=$$(sh tools/find_python.sh) || exit 1; \
	if ! $(BIN)/python -c pass >/dev/null 2>&1; then \
	    echo "==> Making .venv with $$python"; \
	    rm -rf .venv; "$$python" -m venv .venv || exit 1; \
	fi
	@echo "==> Installing this package and its development tools into .venv"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv \
	    && $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -e '.[dev]' \
	    || { echo "==> Trying again with pip alone"; $(BIN)/python -m pip install --quiet -e '.[dev]'; }
	@touch $(READY)

clean: ## remove .venv, caches and outputs (the installed servers stay: ivk server says where)
	rm -rf .venv dist build site .cache demo-output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
