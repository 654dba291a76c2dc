# The interpreter that the tests and the demo run on: make test PYTHON=python3.13
PYTHON ?= python3
# One environment per interpreter, so that several can be tried in turn.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# Six workers, even on two cores: many tests wait.  The tests of one file stay on one worker, because they share
# servers and trees.  In the order of the folders: else files of few tests, which are the longest, would come last.
PYTEST := $(BIN)/pytest -n 6 --dist loadfile --no-loadscope-reorder

# Compile modules once, as pip does for users, whatever the shell says: the tests start thousands of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow fast lint check format drawing pictures man lock audit bench bench-quick chaos fuzz \
	long-life pool-states clean

demo: $(INSTALLED)
	$(BIN)/python demo/demo.py

test: $(INSTALLED)
	$(PYTEST) -m "not slow"

# Their gigabytes belong on a disk; see tests/kit/scratch.py.
test-slow: $(INSTALLED)
	SEGFLEET_TESTS_ON_DISK=1 $(BIN)/pytest -m slow --timeout 3600

fast: $(INSTALLED)
	$(PYTEST) tests/unit tests/properties

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint fast

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The rooms of the code and their imports, for docs/architecture.md.
drawing: $(INSTALLED)
	$(BIN)/python docs/rooms.py

# The pictures of the page and of a backup in a terminal, for the README and docs; needs Chromium and tmux.
pictures: $(INSTALLED)
	PYTHONPATH=.:tests $(BIN)/python docs/pictures.py
	PYTHONPATH=.:tests $(BIN)/python docs/terminal_picture.py

# A man page for each command: man -M build/man segfleet-backup
man: $(INSTALLED)
	$(BIN)/python docs/man_pages.py build/man/man1

# Reproducible installs: pip install --require-hashes -r requirements.lock
lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade \
		--output-file requirements.lock pyproject.toml

# Known vulnerabilities of the locked versions; by hand before a release, because it asks PyPI's service.
audit: $(INSTALLED)
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner=off --requirement requirements.lock

# Side by side with other programs; minutes to an hour.  docs/speed.md has the figures of the last release.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/compare --svg docs/speed.svg

bench-quick: $(INSTALLED)
	$(BIN)/python benchmarks/compare --quick

# Backups under random faults: make chaos RUNS=500 SEED=7 RESULTS=chaos-7.jsonl, or FLEET=1 with troubles of a whole fleet.
# Each run prints how to replay it.
RUNS ?= 20
chaos: $(INSTALLED)
	$(BIN)/python benchmarks/chaos $(if $(FLEET),--fleet) --runs $(RUNS) $(if $(SEED),--seed $(SEED)) \
		$(if $(RESULTS),--results $(RESULTS))

# 100,000 mutated messages at each place where messages are read: make fuzz FUZZ=1000000 SEED=7
FUZZ ?= 100000
fuzz: $(INSTALLED)
	SEGFLEET_FUZZ_COUNT=$(FUZZ) $(if $(SEED),SEGFLEET_FUZZ_SEED=$(SEED)) $(BIN)/pytest -n 2 --timeout 3600 \
		tests/attacks/broker/test_fuzzed_messages.py

# Sixty days of Python's library, or TREE, with a lost disk, damage and kills: make long-life SEED=7 TREE=/usr/share/doc
long-life: $(INSTALLED)
	SEGFLEET_LIFE=whole $(if $(SEED),SEGFLEET_LIFE_SEED=$(SEED)) $(if $(TREE),SEGFLEET_LIFE_TREE=$(TREE)) \
		$(BIN)/pytest -n 2 tests/properties/test_long_life.py

# Random lives of a pool, each of forty steps: make pool-states LIVES=1000
LIVES ?= 100
pool-states: $(INSTALLED)
	SEGFLEET_POOL_STATES=$(LIVES) $(BIN)/pytest --timeout 0 tests/properties/test_pool_states.py

clean:
	rm -rf .venv .venv-* build dist *.egg-info

# Rebuilt when the dependencies change.
$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test,check]'
	touch $@
