# `make` lists the targets. Each target sets up what it needs on a machine with Python 3.11 or later.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
# With this variable set, Python does not cache bytecode, and every command starts slowly.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help api demo test test-unit test-pythons test-versions lint format docs docs-serve pictures setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## run the demo: a local InvokeAI with tiny models, a run, a sweep, a contact sheet
	@$(BIN)/python demo/demo.py

# Two processes, each with a server of its own, that take the files in turns.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

test: $(READY) ## run all tests, including those against a real InvokeAI (installed on first use: a minute or two)
	@$(BIN)/python -m pytest $(PARALLEL)

test-unit: $(READY) ## run the tests that need no server
	@$(BIN)/python -m pytest -q $(PARALLEL) tests/unit

PYTHONS := 3.11 3.12 3.13

test-pythons: $(READY) ## run the unit tests on the other installed versions of Python, side by side
	@mine=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); failed=; started=; \
	mkdir -p .pythons; \
	for version in $(PYTHONS); do \
	    if [ "$$version" = "$$mine" ]; then continue; fi; \
	    python=$$(sh tools/find_python.sh $$version) || continue; \
	    { \
	        echo "==> Python $$version: $$python"; \
	        $(BIN)/uv venv --quiet --allow-existing --python "$$python" .pythons/$$version \
	            && $(BIN)/uv pip install --quiet --python .pythons/$$version -e '.[dev]' \
	            && .pythons/$$version/bin/python -m pytest -q -p no:cacheprovider tests/unit; \
	    } >.pythons/$$version.log 2>&1 & started="$$started $$version:$$!"; \
	done; \
	for each in $$started; do \
	    wait $${each#*:} || failed="$$failed $${each%:*}"; cat .pythons/$${each%:*}.log; \
	done; \
	if [ -n "$$failed" ]; then echo "==> Failed on Python$$failed"; exit 1; fi

# The tests that apply to older servers; docs/compatibility.md lists the differences. Tests of operations that an older
# server lacks are marked with "since".
OLDER := 6.0.2 5.15.0
OLDER_TESTS := tests/spec $(patsubst %,tests/server/test_%.py,runs results images queue generate \
    api requests pool_of_one administration node_packs prompts presets gallery recall workflow_library models events \
    cli_api cli_images cli_library cli_models)

test-versions: $(READY) ## run the tests that apply to 6.0.2 and 5.15.0 on real servers of these versions (about seven minutes each)
	@failed=; \
	for version in $(OLDER); do \
	    echo "==> InvokeAI $$version: the contract's tests (installing it if necessary)"; \
	    INVOKEAI_TEST_VERSION=$$version $(BIN)/python -m pytest -q $(OLDER_TESTS) || failed="$$failed $$version"; \
	done; \
	if [ -n "$$failed" ]; then echo "==> Failed on InvokeAI$$failed"; exit 1; fi; \
	echo "==> Passed on InvokeAI $(OLDER)"

lint: $(READY) ## check style, formatting, types and language
	@echo "==> ruff check" && $(BIN)/ruff check .
	@echo "==> ruff format --check" && $(BIN)/ruff format --check .
	@echo "==> pyright" && $(BIN)/pyright
	@echo "==> api" && $(BIN)/python tools/generate_api.py --check
	@echo "==> language" && $(BIN)/python tools/language.py

SERVER := http://localhost:9090

api: $(READY) ## write the classes with the operations of the server at SERVER (see CONTRIBUTING.md)
	@$(BIN)/python tools/generate_api.py --from $(SERVER)

format: $(READY) ## fix style and formatting
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: $(READY) ## build the documentation site in site/
	@$(BIN)/zensical build --strict --clean && echo "==> site/index.html"

docs-serve: $(READY) ## serve the documentation site at http://localhost:8000 and rebuild it on changes
	@$(BIN)/zensical serve

pictures: $(READY) ## recreate the pictures of the README and docs with a local InvokeAI (needs tmux)
	@PYTHONPATH=tests/support $(BIN)/python tools/pictures.py

setup: $(READY) ## create the development environment in .venv

$(READY): pyproject.toml
	@python=$$(sh tools/find_python.sh) || exit 1; \
	if ! $(BIN)/python -c pass >/dev/null 2>&1; then \
	    echo "==> Creating .venv with $$python"; \
	    rm -rf .venv; "$$python" -m venv .venv || exit 1; \
	fi
	@echo "==> Installing this package and its development tools into .venv"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv \
	    && $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -e '.[dev]' \
	    || { echo "==> Trying again with pip"; $(BIN)/python -m pip install --quiet -e '.[dev]'; }
	@touch $(READY)

clean: ## remove .venv, caches and outputs, but not installed servers
	rm -rf .venv .pythons dist build site .cache demo-output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
