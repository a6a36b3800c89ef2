# Everything a newcomer needs: `make demo` and `make test`. Each target sets up .venv the first time and reuses it after.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL: # two pips in one environment spoil it
.PHONY: help demo run test test-faults test-contract openapi generators lint format bench clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/.runtime ## Start the service, enroll the sample vehicles, run one search, stay up (DEMO_ONCE=1: stop after it)
	@$(BIN)/clip-senet demo

run: $(VENV)/.runtime ## Serve on http://127.0.0.1:8000 with the embedded database in ./data
	@$(BIN)/clip-senet serve

TEST_PROCESSES ?= 2
test: $(VENV)/.dev $(VENV)/.generators ## Run every test, a real PostgreSQL included, in two processes (TEST_PROCESSES=1: in one)
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

test-faults: $(VENV)/.dev ## Run the kill -9 tests, 10,000 malformed uploads and the index's threads, longer than `make test` does
	@CLIP_SENET_FAULT_ROUNDS=40 $(BIN)/python -m pytest tests/faults --deselect tests/faults/test_kill_index.py \
		--deselect tests/faults/test_malformed_uploads.py
	@CLIP_SENET_FAULT_ROUNDS=10000 $(BIN)/python -m pytest tests/faults/test_malformed_uploads.py
	@CLIP_SENET_FAULT_ROUNDS=200 $(BIN)/python -m pytest tests/faults/test_kill_index.py
	@CLIP_SENET_FAULT_SECONDS=60 $(BIN)/python -m pytest tests/index/test_threads.py

test-contract: $(VENV)/.dev ## Try all that openapi.json tells of with Schemathesis, a quarter of an hour (`make test` does the first part)
	@CLIP_SENET_CONTRACT_SECONDS=$${CLIP_SENET_CONTRACT_SECONDS:-400} CLIP_SENET_CONTRACT_SEED=$${CLIP_SENET_CONTRACT_SEED:-$$(date +%s)} \
		$(BIN)/python -m pytest tests/contract/test_schemathesis.py -o log_cli=true --log-cli-level=INFO

openapi: $(VENV)/.dev ## Write openapi.json, the description that clients are generated from
	@$(BIN)/clip-senet openapi --out openapi.json

lint: $(VENV)/.dev ## Check style, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.dev ## Rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure index and embedder beside others, half an hour, into bench/results/ (BENCH_SIZE=20000: quickly)
	@missed=0; for one in exact_search filtered_search writes restart memory growth; do \
		$(BIN)/python -m bench.$$one $${BENCH_SIZE:+--size $$BENCH_SIZE} || missed=1; done; \
		$(BIN)/python -m bench.embedding || missed=1; exit $$missed

clean: ## Remove the virtual environment and caches; data/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with the venv module is needed (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

GENERATORS := tests/contract/generators
generators: $(VENV)/.generators ## Install what checks openapi.json and makes clients of it, for the tests; `make test` does

$(VENV)/.generators: $(wildcard $(GENERATORS)/*) | $(VENV)/.created
	@echo "Installing generators of API clients, Node.js among them, in $(VENV) (about 100 MB the first time)"
	@$(BIN)/python -m venv --clear $(VENV)/contract-python
	@$(VENV)/contract-python/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(GENERATORS)/requirements.txt
	@mkdir -p $(VENV)/contract-node && cp $(GENERATORS)/package.json $(GENERATORS)/package-lock.json $(VENV)/contract-node
	@cd $(VENV)/contract-node && PATH="../contract-python/bin:$$PATH" npm ci --silent --no-audit --no-fund
	@touch $@

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing the service into $(VENV) (the first time this fetches about 3 GB: torch comes with its CUDA libraries)"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing the service and its development tools into $(VENV) (the first time this fetches about 3 GB)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.runtime
