# `make help` lists what there is. Everything Python goes into .venv, from hashed locks.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
LAB ?= default
# Stories at the same time: they mostly wait.
STORIES ?= 8
# Fault schedules at the same time: they compute.
FAULT_WORKERS ?= auto
KIND_NAME ?= prunella
KIND_KUBECONFIG := $(CURDIR)/.lab/kind.kubeconfig
# The first python that is new enough; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { command -v $$each; break; }; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# $(call need,PROGRAM,WHAT TO INSTALL): one line when a program is missing.
need = command -v $(1) >/dev/null || { echo "missing: $(1). Install $(2), then try again." >&2; exit 1; }

##@ Start here
.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nCLUSTER=lab|kind|current chooses where demo and test run, LAB=NAME one of several labs.\n'

.PHONY: demo
demo: venv ## Heal a bad release before your eyes (CLUSTER=lab|kind|current: on a real API server)
	@$(MAKE) demo-$(or $(CLUSTER),simulator)

.PHONY: test
test: dev ## Run all tests, those on the lab too (CLUSTER=kind: on kind)
	@$(MAKE) test-$(or $(CLUSTER),lab)

##@ Set-up
.PHONY: venv
venv: $(VENV)/.runtime ## Install what running needs into .venv
.PHONY: dev
dev: $(VENV)/.dev ## Install what developing needs into .venv

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "missing: Python 3.11 or newer. Install python3.11 (with venv), or give PYTHON=/path/to/python." >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); echo "missing: Python's venv module. Install python3-venv, then try again." >&2; exit 1; }

$(VENV)/.runtime: requirements.txt pyproject.toml | $(VENV)/bin/pip
	@echo "installing the runtime into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "installing the development tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.dev
	@echo "installing what benchmarks compare with into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-bench.txt
	@touch $@

# Apart from the rest: what looks at the locks is not held to their versions.
$(VENV)/audit/.done: requirements-audit.txt | $(VENV)/bin/pip
	@echo "installing what looks at the locks into $(VENV)/audit ..."
	@"$(PYTHON)" -m venv --clear $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-audit.txt
	@touch $@

.PHONY: lock
lock: ## Resolve the dependencies anew and write the locks, with hashes
	@$(call need,uv,uv (https://docs.astral.sh/uv))
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group build pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group build --extra aws --extra azure --extra git --extra google --extra otel -c requirements.txt pyproject.toml \
	  -o requirements-cloud.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group build --group dev --all-extras -c requirements-cloud.txt pyproject.toml -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group build --group dev --group bench --all-extras -c requirements-dev.txt pyproject.toml \
	  -o requirements-bench.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group pyproject.toml:audit -o requirements-audit.txt

##@ Check
.PHONY: unit
unit: dev ## Run the unit, command and engine tests: virtual time, no network
	$(BIN)/pytest -q -n 2 tests/unit tests/cli tests/engine
.PHONY: contract
contract: dev lab-tools ## Run the same cases on the simulator and on the lab
	$(BIN)/pytest -q tests/contract
.PHONY: e2e
e2e: dev lab-tools ## Run the end-to-end tests on the lab
	$(BIN)/pytest -q -n $(STORIES) tests/e2e
.PHONY: test-flux
test-flux: dev lab-tools ## Run the stories of reverts in Git with Flux's own controllers (Go 1.26)
	@$(BIN)/python -m lab build --flux
	PRUNELLA_LAB=flux PRUNELLA_FLUX=controllers $(BIN)/pytest -q -n 4 tests/e2e/stories/test_git_revert.py
.PHONY: faults-short
faults-short: dev ## Run the fault suite's choice of crash points and schedules (part of test)
	$(BIN)/pytest -q -n 2 tests/faults
.PHONY: faults
faults: dev ## Run every crash point and 20,000 seeded schedules; prints a table
	PRUNELLA_FAULTS=20000 $(BIN)/pytest -q -n $(FAULT_WORKERS) --timeout 3600 tests/faults
.PHONY: faults-long
faults-long: dev ## Run every crash point and 100,000 seeded schedules; prints a table
	PRUNELLA_FAULTS=100000 $(BIN)/pytest -q -n $(FAULT_WORKERS) --timeout 3600 tests/faults
.PHONY: mutants
mutants: dev ## Put faults into the guards and the decision, and see that tests notice
	@$(BIN)/python -m tests.faults.mutation
.PHONY: lint
lint: dev ## Check style, format and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
.PHONY: fmt
fmt: dev ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
.PHONY: type
type: dev ## Check types
	$(BIN)/mypy
.PHONY: generate
generate: venv ## Write what is generated: the CRDs and the chart's copy of them
	$(BIN)/prunella crds --directory crds
	cp crds/*.yaml charts/prunella/crds/
.PHONY: verify
verify: generate ## Fail when what is generated differs from what is committed
	git diff --exit-code -- crds charts
	@test -z "$$(git ls-files --others --exclude-standard -- crds charts/prunella/crds)" \
	  || { echo "generated files are not committed: see git status crds charts" >&2; exit 1; }
.PHONY: audit
audit: $(VENV)/audit/.done ## Ask whether what the locks name has known weaknesses (asks the package index)
	@for lock in requirements*.txt; do \
	  echo "$$lock"; $(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes -r "$$lock"; done
.PHONY: sbom
sbom: $(VENV)/audit/.done ## Write the image's Python packages, with their hashes, to dist/sbom.cdx.json (CycloneDX)
	@mkdir -p dist
	@$(VENV)/audit/bin/cyclonedx-py requirements requirements-cloud.txt --pyproject pyproject.toml \
	  --output-reproducible --validate -o dist/sbom.cdx.json
.PHONY: picture
picture: venv ## Draw the README's picture from a run of the demo
	$(BIN)/python -m prunella.demo.picture docs/demo.svg
.PHONY: bench-tools
bench-tools: $(VENV)/.bench ## Install what the benchmarks compare with into .venv
.PHONY: bench
bench: bench-tools ## Measure speed and size; prints a table
	$(BIN)/python -m bench

# A folder of faults: inject.yaml and truth.yaml in a folder for each.
FAULTS ?= lab/shop/faults
.PHONY: exam
exam: dev lab-tools ## Run the shop's faults on the lab, heal them and judge it (FAULTS=DIR: yours)
	$(BIN)/python -m bench.exam --faults "$(FAULTS)" $(if $(OUT),--out "$(OUT)")

##@ Lab: a real control plane on this machine, without containers
.PHONY: lab-build
lab-build: venv lab-tools ## Build the lab's programs once, into the user's cache
	@$(BIN)/python -m lab build
.PHONY: lab-up
lab-up: venv lab-tools ## Start the lab
	@$(BIN)/python -m lab up --name $(LAB)
.PHONY: lab-down
lab-down: venv ## Stop the lab and remove its folder
	@$(BIN)/python -m lab down --name $(LAB)
.PHONY: lab-status
lab-status: venv ## Show the lab's endpoints and programs
	@$(BIN)/python -m lab status --name $(LAB)

##@ Clean
.PHONY: clean
clean: ## Remove .venv and caches; the lab's programs stay in the user's cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find operator lab tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: lab-tools
lab-tools:
	@$(call need,go,Go 1.25 or newer (https://go.dev/dl): the lab is built from source)
	@$(call need,kubectl,kubectl)

.PHONY: demo-simulator demo-lab demo-kind demo-current
demo-simulator:
	@$(BIN)/prunella demo
demo-current:
	@$(BIN)/prunella demo --cluster current $(if $(YES),--yes)
demo-lab: lab-tools
	@status() { $(BIN)/python -m lab status --name $(LAB) --json; }; \
	fact() { status | $(BIN)/python -c "import json, sys; print(json.load(sys.stdin)['$$1'])"; }; \
	if ! status >/dev/null 2>&1; then trap '$(BIN)/python -m lab down --name $(LAB)' EXIT; fi; \
	$(BIN)/python -m lab up --name $(LAB) >/dev/null; \
	$(BIN)/prunella demo --cluster current \
	  --kubeconfig "$$(fact kubeconfig)" --prometheus "$$(fact prometheus_url)"
demo-kind: kind-up
	@$(call need,kubectl,kubectl)
	@$(BIN)/prunella demo --cluster current --kubeconfig $(KIND_KUBECONFIG)
	@echo "the kind cluster stays up: kind delete cluster --name $(KIND_NAME)"

.PHONY: test-lab test-kind test-current
test-lab: lab-tools
	@$(BIN)/python -m lab build
	$(BIN)/pytest -q -n 2 tests/unit tests/cli tests/engine tests/faults tests/adapters tests/chart tests/lab tests/bench tests/playbooks
	$(BIN)/pytest -q tests/contract
	$(BIN)/pytest -q -n $(STORIES) tests/e2e
# Elsewhere than on the lab: what needs no cluster, and the demo with real pods.
SMOKE := tests/unit tests/cli tests/engine tests/e2e/demo
test-kind: kind-up
	@$(call need,kubectl,kubectl)
	KUBECONFIG=$(KIND_KUBECONFIG) PRUNELLA_CLUSTER=kind $(BIN)/pytest -q $(SMOKE)
test-current:
	@$(call need,kubectl,kubectl)
	PRUNELLA_CLUSTER=current PRUNELLA_YES=$(YES) $(BIN)/pytest -q $(SMOKE)

.PHONY: kind-up
kind-up:
	@$(call need,kind,kind (https://kind.sigs.k8s.io) and a container runtime)
	@mkdir -p $(dir $(KIND_KUBECONFIG))
	@kind get clusters 2>/dev/null | grep -qx $(KIND_NAME) \
	  || kind create cluster --name $(KIND_NAME) --wait 120s
	@kind export kubeconfig --name $(KIND_NAME) --kubeconfig $(KIND_KUBECONFIG)
