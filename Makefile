# Everything below needs Python 3.11 and make, nothing else; `make setup` fetches the rest into .venv.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=

.PHONY: help setup demo test container terraform lambda lint audit lock bench soak clean

help: ## List what make can do
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv from the hash-locked requirements

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 was not found as '$(PYTHON)'. Install it, or say PYTHON=/path/to/python3.11."; exit 1; }
	$(PYTHON) -m venv --clear .venv # an installation that was interrupted is no place to go on from
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup ## Fail, collect, group, redrive, report on a local AWS; ARGS="--once --json" for nobody at the keyboard
	@$(BIN)/python -m sandbox.demo $(ARGS)

test: setup ## Run every test, three at a time; ARGS are pytest's
	$(BIN)/python -m pytest -n 3 $(ARGS)

container: setup ## Run the Dockerfile's own steps, its command and its health check, without a Docker engine
	$(BIN)/python -m pytest tests/container -m container -p no:randomly $(ARGS)

TF_STAMP := .venv-terraform/.installed

$(TF_STAMP): terraform/requirements-check.lock
	$(PYTHON) -m venv .venv-terraform
	.venv-terraform/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

terraform: setup $(TF_STAMP) ## Check the Terraform: format, parse, every argument against the provider's schema, checkov
	@if command -v terraform >/dev/null; then terraform fmt -check -diff -recursive terraform; \
	elif command -v tofu >/dev/null; then tofu fmt -check -diff -recursive terraform; \
	elif [ "$$REDRIVE_REQUIRE_TOOLS" = 1 ]; then echo "NOT RUN: the format. Neither terraform nor tofu is here." >&2; exit 1; \
	else echo "NOT RUN: the format. Neither terraform nor tofu is here." >&2; fi
	$(BIN)/python terraform/check_schema.py .venv-terraform/lib/python3.11/site-packages
	.venv-terraform/bin/checkov --directory terraform --framework terraform --skip-download --quiet --compact

lambda: setup ## Build the Lambda functions' zips, each twice with the same bytes, into dist/
	$(BIN)/python terraform/build_zip.py $(ARGS)

lint: setup ## ruff, mypy --strict, import-linter, bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r console deadletter worker migrations

audit: setup ## Ask the package index for known holes in what is locked (needs its JSON interface)
	$(BIN)/pip-audit -r requirements.lock --disable-pip --no-deps

bench: setup ## Measure every performance claim as a ratio, in one run
	@$(BIN)/python -m bench $(ARGS)

soak: setup ## A million events in, a fifth redriven, workers killed; count. ARGS="--events 10000 --kill-every 10 --database both"
	@$(BIN)/python -m bench.soak $(ARGS)

# Runtime subsets of the one lock: what the container installs, and what the Lambda functions need besides.
LOCK := uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
  --python-version 3.11 --no-emit-package django --no-emit-package asgiref --no-emit-package sqlparse -q

lock: setup ## Lock the dependencies again, with hashes and without addresses (needs uv)
	$(LOCK) --all-extras --upgrade -o requirements.lock
	$(LOCK) -c requirements.lock -o requirements-service.lock
	$(LOCK) --extra lambda -c requirements.lock -o requirements-lambda.lock
	grep -E '^[a-z]' requirements-lambda.lock | grep -v psycopg | tr -d '\\' > .venv/constraints.txt
	$(LOCK) --extra lambda -c .venv/constraints.txt --override terraform/arm64-overrides.txt -o requirements-lambda-arm64.lock
	uv pip compile terraform/requirements-check.in --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --no-header --python-version 3.11 -q -o terraform/requirements-check.lock

clean: ## Remove the environment and the demo's data
	rm -rf .venv .venv-terraform .venv-bench .demo build-lambda dist
