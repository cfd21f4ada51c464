# The face of the repository: `make help`. Every target sets up what it needs by itself (deploy/setup.sh) from Python
# 3.11 or newer and make; what was set up once is not set up again.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
READY := .venv/.ready
SOURCES := contracts/src services/assistant-api/src services/tool-sync/src services/vapi-sandbox/src services/platform/src deploy/devstack/src
TYPED := $(SOURCES) contracts/asyncapi tests benchmarks examples deploy/images deploy/compose
STYLED := contracts services deploy tests benchmarks examples

.PHONY: help setup demo up down token test test-jaeger check sim crash chaos fairness soak checker vapi-probe bench bench-plot lock images images-test clean

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): deploy/setup.sh requirements/uv.txt requirements/dev.txt pyproject.toml \
		contracts/pyproject.toml $(wildcard services/*/pyproject.toml) deploy/devstack/pyproject.toml \
		deploy/devstack/src/devstack/jars.lock
	@sh deploy/setup.sh

setup: $(READY) ## only set up: .venv, locked packages, Kafka's jars
	@:

demo: $(READY) ## start everything, save an assistant, show what happened; ONCE=1 stops and exits after it
	@$(BIN)/python -m devstack demo $(if $(ONCE),--once)

up: $(READY) ## start everything on ports 3001, 3002 and 3003 and leave it running
	@$(BIN)/python -m devstack up --fixed-ports

down: $(READY) ## stop what `make up` left running
	@$(BIN)/python -m devstack down

token: $(READY) ## print a platform token; ORG=<uuid> prints an org's
	@$(BIN)/python -m devstack token $(if $(ORG),--org $(ORG))

check: $(READY) ## lint, format, types, import rules and the unit tests
	$(BIN)/ruff check $(STYLED)
	$(BIN)/ruff format --check $(STYLED)
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m zerotouch_contracts.schemas --check
	$(BIN)/pytest tests/unit

test: $(READY) ## all tests: unit, contract, integration, acceptance, on real Kafka and PostgreSQL; WITHOUT=DIR leaves some out
	$(BIN)/pytest tests --ignore=tests/acceptance/jaeger $(addprefix --ignore=,$(WITHOUT))

test-jaeger: $(READY) ## the traces in a real Jaeger 2: JAEGER_BIN, or built once with Go
	@$(BIN)/python -m devstack.jaeger_build
	$(BIN)/pytest tests/acceptance/jaeger

sim: $(READY) ## every kill and pause point, then 100,000 seeded runs; MINUTES=n as many as fit, SEED=n begins there
	@$(BIN)/python -m tests.simulation $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

crash: $(READY) ## real processes killed, stopped and cut off at every port call; MINUTES=n (5), PARTS="points cuts recovery"
	@$(BIN)/python -m tests.crash $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(PARTS),--parts $(PARTS))

chaos: $(READY) ## a nemesis over running load, then the checker; MINUTES=n (10), SEED=n, BARE=1 without the measurements first
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(BARE),--bare)

fairness: $(READY) ## one clinic with 10,000 queued saves beside a hundred with one each
	@$(BIN)/python -m tests.chaos fairness

soak: $(READY) ## the same for hours, with the times of production; HOURS=n (1)
	@$(BIN)/python -m tests.chaos --soak --hours $(or $(HOURS),1) $(if $(SEED),--seed $(SEED))

checker: $(READY) ## proves the checker: broken services and broken histories, each must be caught
	@$(BIN)/python -m tests.checker selftest

vapi-probe: $(READY) ## needs a key: VAPI_API_KEY=... asks Vapi what is not published (40 calls) and names what the sandbox does otherwise
	@$(BIN)/python -m tests.contract.probe

bench: $(READY) ## measure beside the peers, keep the run in benchmarks/history; LONG=1 also what takes minutes a figure
	@$(BIN)/python -m benchmarks $(if $(LONG),--long)

bench-plot: $(READY) ## draw the rows of all kept runs over time: benchmarks/out/history.svg
	@$(BIN)/python -m benchmarks.plot

lock: $(READY) ## write requirements/*.txt anew; UPGRADE=1 takes the newest versions
	@sh deploy/lock.sh

images: $(READY) ## build the service images
	@sh deploy/images/build.sh

images-test: images ## run the images against the stack, where a Docker engine answers
	@sh deploy/images/test.sh

clean: ## remove what was set up here; the caches of the user stay
	rm -rf .venv .devstack .mypy_cache .ruff_cache .import_linter_cache
