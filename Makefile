# `make` or `make help` lists the targets. Every target that needs something installs it first, once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON3 ?= python3
BIN := .venv/bin
PY := $(BIN)/python
LOGS := .tools/logs
KAFKA := .tools/kafka/lib/.pom
TEST_MESH := PEAKMESH_PORT_BASE=1000 PEAKMESH_RUN_DIR=$(CURDIR)/.run/test
export UV_NO_PROGRESS := 1
export UV_LINK_MODE := copy
# uv brings certificates of its own, and so does not know those of a proxy that this machine trusts; pip and apt do.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS := true
endif

.PHONY: help setup proto proto-check fmt lint lint-code lint-contracts lint-envoy test test-alone test-servers test-given bench-search up down status sale clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

setup: .venv/.installed .tools/.packages $(KAFKA) ## install what is missing: Python packages, Debian packages, Kafka's jars
	@:

proto: setup ## generate generated/python from protos/
	@$(PY) -m tools.proto generate

proto-check: setup ## prove that generated/python is current
	@$(PY) -m tools.proto check

fmt: setup ## format the code and sort its imports
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format --quiet .

lint: lint-code lint-contracts lint-envoy ## style, types, import rules, contracts, Envoy's configuration

lint-code: setup
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && echo "lint: style"
	@$(BIN)/mypy && echo "lint: types"
	@$(BIN)/lint-imports --no-logo >$(LOGS)/imports.log || { cat $(LOGS)/imports.log; exit 1; }
	@echo "lint: imports"

lint-contracts: setup proto-check
	@$(PY) -m tools.proto image .tools/protos.binpb
	@$(BIN)/buf lint .tools/protos.binpb --config buf.yaml
	@$(BIN)/buf breaking .tools/protos.binpb --against protos/released.binpb --config buf.yaml && echo "lint: contracts"

lint-envoy: setup
	@$(PY) -m envoy.render --check >$(LOGS)/envoy.log 2>&1 || { cat $(LOGS)/envoy.log; exit 1; }
	@echo "lint: envoy"

test: test-alone test-servers ## every test, on real servers of its own (ports + 1000), beside a mesh that may be running
	@:

test-alone: setup ## the tests that need no data server
	@$(PY) -m pytest -q tests/unit tests/component tests/contract

test-servers: setup ## the integration and end-to-end tests
	@$(TEST_MESH) $(PY) -m pytest -q tests/integration tests/e2e

test-given: setup ## the integration and end-to-end tests with Redis, MariaDB and Kafka given by URL
	@$(TEST_MESH) $(PY) -m tools.devstack lend -- $(PY) -m pytest -q tests/integration tests/e2e

bench-search: setup ## search of 100,000 products in one process; fails over 10 ms at p99
	@$(PY) -m tests.unit.checkout_svc.bench_search

up: setup ## start the mesh and import the demo catalogue
	@$(BIN)/peakmesh up

down: setup ## stop the mesh; its data stays
	@$(BIN)/peakmesh down

status: setup ## what runs, since when, with how much memory
	@$(BIN)/peakmesh status

sale: setup ## run a whole flash sale and audit it; a mesh that was not running is stopped again
	@$(PY) -m tools.devstack during -- $(BIN)/peakmesh sale run

clean: ## stop the mesh and remove its data; what `make setup` installed stays
	@if [ -x $(BIN)/peakmesh ]; then $(BIN)/peakmesh clean --all; fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.installed: requirements.lock pyproject.toml | $(LOGS)
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or newer is needed: set PYTHON3=<its path>" >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || { echo "setup: Python's venv module is missing; run: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "setup: Python packages …"
	@[ -x $(BIN)/python ] || $(PYTHON3) -m venv .venv
	@awk '/^[a-zA-Z]/ {mine = /^uv==/} mine && !/^ *#/' requirements.lock >.tools/uv.lock
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r .tools/uv.lock >$(LOGS)/pip.log 2>&1 \
	  || { tail -n 3 $(LOGS)/pip.log >&2; echo "setup: pip could not install uv (all of it: $(LOGS)/pip.log); check the network and run: make setup" >&2; exit 1; }
	@{ $(BIN)/uv pip sync -p $(PY) --compile-bytecode --require-hashes requirements.lock && $(BIN)/uv pip install -p $(PY) --no-deps --no-build-isolation -e .; } >$(LOGS)/uv.log 2>&1 \
	  || { tail -n 5 $(LOGS)/uv.log >&2; echo "setup: uv could not install the packages (all of it: $(LOGS)/uv.log); check the network and run: make setup" >&2; exit 1; }
	@touch $@

.tools/.packages: tools/devstack/install-packages.sh | $(LOGS)
	@tools/devstack/install-packages.sh $(LOGS)/apt.log
	@touch $@

$(KAFKA): tools/devstack/kafka/pom.xml .venv/.installed .tools/.packages
	@[ $@ -nt $< ] || echo "setup: Kafka's jars …"
	@$(PY) -m tools.devstack prepare
	@touch $@

$(LOGS):
	@mkdir -p $@
