# Banyan on a bare machine. `make` alone prints what there is; deploy/local/ holds what it does.
# Plain GNU make 3.81 and /bin/sh, so that macOS needs nothing more.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?=
RUN := .venv/bin/python
LOCAL := $(RUN) -m deploy.local
STAMP := .venv/.banyan-synced
LOCKED := uv.lock pyproject.toml chassis/pyproject.toml $(wildcard services/*/pyproject.toml)

# Where `make system` runs the shop: as processes of this machine, in containers, or in a cluster.
TARGET ?= local
SERVICE ?=
LINES ?= 40
ORDERS ?= 2000
CLIENT ?= modern
RATE ?= 60
ROUNDS ?= 1
CONCURRENCY ?= 32
SEED ?=
# Without it TEST_SERVERS counts, and without that `auto`: containers where a Docker engine answers.
SERVERS ?=
PYTEST := $(if $(SERVERS),TEST_SERVERS=$(SERVERS)) $(RUN) -m pytest

# An environment remembers where it was made: after the folder has moved it is made anew. One that is asked for by
# name (PYTHON=) is looked at every time.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
STALE := yes
endif
ifneq ($(PYTHON),)
STALE := yes
endif

.PHONY: help setup up down status logs restart clean check lint test system integration images test-images traffic verify strangle migrate migration \
	bench replay snapshot stale kind-up kind-load kind-smoke kind-down minikube-load measure deploy-test promote \
	whence sbom audit \
	unit contract image scan push sign tag carry promoted-image findings propose compose-up

help:
	@echo "Banyan: a bookshop of small services, on this machine"
	@echo
	@echo "  make up                  set up, start, seed, and let a first customer buy   [PORT=8080 BASE_PORT=8100]"
	@echo "                           OTLP_ENDPOINT=http://127.0.0.1:4318 sends spans to a collector"
	@echo "                           FAULTS=on lets faults be injected (delay, error, drop) through /faults"
	@echo "  make down                stop gracefully; the data stays"
	@echo "  make status              what runs, and is it ready"
	@echo "  make logs SERVICE=…      follow the log of one process                       [LINES=40]"
	@echo "  make restart SERVICE=…   restart one process gracefully"
	@echo "  make clean               stop, and delete data, logs and secrets"
	@echo
	@echo "  make traffic             many customers at once         [ORDERS=2000 CONCURRENCY=32 SEED=… CLIENT=modern|legacy|both]"
	@echo "  make verify              do the books balance: stock, money, messages              [TARGET=local|kubernetes]"
	@echo "  make migration           where the old shop's capabilities stand, and who answers how well"
	@echo "  make migrate CAPABILITY=… TO=…   move one of them          [PERCENT=10 REASON=… FORCE=yes TARGET=compose]"
	@echo "  make strangle            replace the old shop under traffic, and tell the story  [RATE=60 ROUNDS=1 TARGET=local|compose]"
	@echo "  make snapshot            carry the old shop's books, customers and orders over; resumable  [RESTART=yes]"
	@echo "  make replay SERVICE=…    put the dead letters of a consumer back on the stream"
	@echo "  make bench               measure, and write docs/benchmarks.md"
	@echo
	@echo "  make images              build all images, measure them, and write that into docs/benchmarks.md"
	@echo "                           [WRITE=no: only show it, as where CI is set]"
	@echo "                           BAKE_ARGS=… are further options of docker buildx bake"
	@echo "  make test-images         what is in them, how they start, stop and are built [COMMIT=…]"
	@echo "  make image SERVICE=…     build one as the pipeline does, into a folder; with PLATFORMS=linux/amd64,linux/arm64 for both"
	@echo "                           [CACHE=read|write BAKE_ARGS=…]"
	@echo "  make scan SERVICE=…      look for critical findings that could be mended: of that folder, or of any IMAGE=…"
	@echo "  make push SERVICE=…      bring it to REGISTRY by its digest; make sign signs it, and make tag names it by its commit"
	@echo "  make carry SHA=…         give what a commit has not changed its tag; then make promote, and make propose ENV=…"
	@echo
	@echo "  make kind-up             a cluster of one node in a container                [PORT=8080]"
	@echo "  make kind-load           build what is missing, and put images and secrets where kubectl apply -k wants them"
	@echo "                           [FAULTS=on THIRD_PARTY=yes: PostgreSQL, NATS and Envoy too, for a node without network]"
	@echo "  make minikube-load       the same for a minikube that runs"
	@echo "  make kind-smoke          apply deploy/overlays/local, wait, let a customer buy, and run the system tests"
	@echo "                           [CONTEXT=kind-banyan BANYAN_URL=… of another cluster]"
	@echo "  make kind-down           remove the cluster"
	@echo "  make deploy-test         do the manifests hold: render, schemas, rules, and checkov"
	@echo "  make compose-up          the shop in containers, healthy and with its books: docker compose up --detach --wait"
	@echo "  make measure             what each container takes under load, into docs/sizing.md; of the shop in containers"
	@echo "                           [RATE=20 SECONDS=180]"
	@echo "  make promote ENV=… SHA=…   let an environment run another commit: one line to review  [staging|production]"
	@echo
	@echo "  make whence IMAGE=…      commit, base, SBOM and signature of an image, here, in a registry or of pod/NAME"
	@echo "                           [JSON=yes NAMESPACE=… CONTEXT=… SIGNER=…: who must have signed it]"
	@echo "  make sbom                what each image is made of, into .banyan/sbom       [SERVICE=orders | IMAGE=…]"
	@echo "  make audit               known vulnerabilities in it; says so where it cannot be known"
	@echo "                           [SERVICE=orders REQUIRED=yes: then that fails]"
	@echo
	@echo "  make check               format, lint, types, import contracts, workflows    [SERVICE=orders]"
	@echo "  make lint                the recipes of the images, more thoroughly"
	@echo "  make test                all tests; the running stack is tested in a copy of its own"
	@echo "                           [SERVERS=containers|embedded: PostgreSQL and NATS by Docker, or from their wheels]"
	@echo "  make system              only the tests of the running stack   [TARGET=local|compose|kubernetes]"
	@echo "  make unit                only the tests that use neither PostgreSQL nor NATS  [SERVICE=orders]"
	@echo "  make contract            only what the services have promised each other     [SERVERS=…]"
	@echo "  make integration         only the tests that use PostgreSQL or NATS          [SERVICE=orders SERVERS=…]"
	@echo "  make watch TEST=…        one test in detail; docs/patterns.md names one for each pattern"
	@echo "  make setup               only the environment in .venv                       [PYTHON=python3.12]"

setup: $(STAMP)

# The stamp is younger than what the environment was made from, and holds the folder that it was made in.
$(STAMP): $(LOCKED) deploy/local/setup.sh $(if $(STALE),stale)
	@PYTHON="$(PYTHON)" sh deploy/local/setup.sh
	@printf '%s\n' "$(CURDIR)" > $(STAMP)

up: $(STAMP)
	@$(LOCAL) up $(if $(PORT),--port $(PORT)) $(if $(BASE_PORT),--base-port $(BASE_PORT)) \
		$(if $(filter on,$(FAULTS)),--faults)

down status clean: $(STAMP)
	@$(LOCAL) $@

logs: $(STAMP) need-service
	@$(LOCAL) logs $(SERVICE) --lines $(LINES)

restart replay: $(STAMP) need-service
	@$(LOCAL) $@ $(SERVICE)

traffic: $(STAMP)
	@$(RUN) -m tests.traffic --client $(CLIENT) --orders $(ORDERS) --concurrency $(CONCURRENCY) $(if $(SEED),--seed $(SEED))

snapshot: $(STAMP)
	@$(LOCAL) run bridge -m bridge.snapshot $(if $(filter yes,$(RESTART)),--restart)

verify: $(STAMP)
	@$(RUN) -m $(if $(filter kubernetes,$(TARGET)),deploy.kubernetes.tasks verify,tests.invariants)

migration: $(STAMP)
	@$(LOCAL) migration --target $(TARGET)

# From the environment, where make puts what was given to it: a reason may hold any sign.
migrate: $(STAMP)
	@test -n "$$CAPABILITY" -a -n "$$TO" || { echo "make migrate CAPABILITY=catalog|orders TO=shadow|canary|…" >&2; exit 2; }
	@$(LOCAL) migrate --target $(TARGET) "$$CAPABILITY" "$$TO" $(if $(PERCENT),--percent "$$PERCENT") --reason "$$REASON" \
		$(if $(filter yes,$(FORCE)),--force)

strangle: $(STAMP)
	@$(RUN) -m tests.strangle --target $(TARGET) --rate $(RATE) --rounds $(ROUNDS)

bench: $(STAMP)
	@$(RUN) -m tests.bench

# With a SERVICE its own code; the imports between all, the recipes and the workflows are everybody's.
CHECKED := $(if $(SERVICE),services/$(SERVICE),.)
TYPED := $(if $(SERVICE),services/$(SERVICE),chassis services deploy tests conftest.py)
check: $(STAMP)
	$(RUN) -m ruff format --check $(CHECKED)
	$(RUN) -m ruff check $(CHECKED)
	$(RUN) -m mypy $(TYPED)
	.venv/bin/lint-imports
	.venv/bin/hadolint $(RECIPES)
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.renovate .github/renovate.json
	.venv/bin/zizmor --quiet --offline --no-progress .github

# Of its own, for it brings a hundred packages that ours would have to agree with.
CHECKOV := checkov==3.3.30
RECIPES := services/Dockerfile deploy/compose/Dockerfile
lint: $(STAMP)
	.venv/bin/hadolint $(RECIPES)
	@UV=$$(command -v uv || echo .banyan/uv/bin/uv); set -x; \
	"$$UV" tool run --quiet --python .venv/bin/python --from $(CHECKOV) \
		checkov --skip-download --quiet --compact --framework dockerfile --file $(RECIPES)

images: $(STAMP)
	@$(RUN) -m tests.bench.images $(if $(WRITE),$(if $(filter no,$(WRITE)),--no-write,--write))

test-images: $(STAMP)
	$(RUN) -m pytest -m images tests/images

# The steps of the pipeline of a service; they read SERVICE, PLATFORMS, CACHE, IMAGE, ENV and SHA from the environment.
REGISTRY ?= ghcr.io/banyan-shop
export REGISTRY
image scan push sign tag carry promoted-image findings propose compose-up: $(STAMP)
	@$(RUN) -m deploy.pipeline $@

# These read PORT, CONTEXT, BANYAN_URL and FAULTS from the environment, where make puts what was given to it.
kind-up kind-down: $(STAMP)
	@$(RUN) -m deploy.kubernetes.kind $(@:kind-%=%)

kind-load: $(STAMP)
	@$(RUN) -m deploy.kubernetes.kind load $(if $(filter yes,$(THIRD_PARTY)),--third-party)

minikube-load: $(STAMP)
	@$(RUN) -m deploy.kubernetes.minikube

kind-smoke: $(STAMP)
	@$(RUN) -m deploy.kubernetes.smoke
	@$(MAKE) system TARGET=kubernetes

measure: $(STAMP)
	@$(RUN) -m tests.bench.sizing $(if $(filter command line,$(origin RATE)),--rate $(RATE)) $(if $(SECONDS),--seconds $(SECONDS))

promote: $(STAMP)
	@test -n "$$ENV" -a -n "$$SHA" || { echo "make promote ENV=staging|production SHA=…" >&2; exit 2; }
	@$(RUN) -m deploy.kubernetes.promote "$$ENV" "$$SHA"

# IMAGE, SIGNER, NAMESPACE and CONTEXT are read from the environment.
whence: $(STAMP)
	@test -n "$$IMAGE" || { echo "make whence IMAGE=banyan/orders:…|ghcr.io/…|pod/…" >&2; exit 2; }
	@$(RUN) -m deploy.delivery.whence $(if $(filter yes,$(JSON)),--json) "$$IMAGE"

sbom: $(STAMP)
	@$(RUN) -m deploy.delivery.sbom $(if $(IMAGE),--image "$$IMAGE",$(SERVICE))

# 3 says that the advisories could not be had, which is no fault of the build: nobody could merge while they are away.
audit: $(STAMP)
	@$(RUN) -m deploy.delivery.audit $(SERVICE) || { code=$$?; test $$code = 3 -a "$(REQUIRED)" != yes || exit $$code; }

deploy-test: $(STAMP)
	$(RUN) -m pytest tests/deploy -n 2 --dist loadgroup
	$(RUN) -m tests.deploy.checkov

test: $(STAMP)
	$(PYTEST) -m "not system and not images" -n 2 --dist loadgroup
	$(RUN) -m tests.deploy.checkov
	@$(LOCAL) trial

system: $(STAMP)
	@case "$(TARGET)" in \
		local) $(LOCAL) trial ;; \
		compose) $(RUN) -m deploy.compose.trial ;; \
		kubernetes) $(RUN) -m deploy.kubernetes.trial ;; \
		*) echo "TARGET=local, TARGET=compose or TARGET=kubernetes" >&2; exit 2 ;; \
	esac

# Of one service, or of all and the chassis: what needs no server, what does, and what services have promised each other,
# which is always asked of both sides. A service without a single integration test says so (pytest's 5 is no failure then).
OF_SERVICE := $(if $(SERVICE),services/$(SERVICE)/tests,)
unit: $(STAMP)
	TEST_SERVERS=embedded $(RUN) -m pytest -m "not integration and not system and not images" -n 2 --dist loadgroup $(or $(OF_SERVICE),chassis services)

contract: $(STAMP)
	$(PYTEST) -m "not system" -n 2 --dist loadgroup tests/contracts tests/schemathesis

integration: $(STAMP)
	$(PYTEST) -m integration -n 2 --dist loadgroup $(OF_SERVICE) || \
		{ code=$$?; test $$code = 5 -a -n "$(SERVICE)" || exit $$code; echo "$(SERVICE) has no integration tests"; }

watch: $(STAMP)
	@test -n "$(TEST)" || { echo "which one? make watch TEST=…  (docs/patterns.md lists them)" >&2; exit 2; }
	@$(PYTEST) -v -m "not system" -k "$(TEST)" chassis services tests

.PHONY: need-service watch
need-service:
	@test -n "$(SERVICE)" || { echo "which one? make $(MAKECMDGOALS) SERVICE=orders  (make status lists them)" >&2; exit 2; }
