# The whole of the work, in a few words: `make demo` shows it, `make test` proves it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
JOBS   ?= auto

.PHONY: demo test test-long chaos nodes bench lint messages states lock clean help

help:            ## list these words
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/ready   ## start the gateway with simulated partners and play the hospital's stories
	$(BIN)/gateway demo $(ARGS)

test: $(VENV)/ready   ## every test, on the embedded PostgreSQL or GATEWAY_TEST_DATABASE_URL
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(VENV)/ready   ## the long forms: more seeds, more mutations
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "long or not long" $(ARGS)

chaos: $(VENV)/ready   ## kill processes at random under load, and count what was lost, doubled or overtaken
	$(BIN)/python -m tests.chaos $(ARGS)

nodes: $(VENV)/ready   ## kill, drain and cut off one of two nodes under load, restart their database, and measure
	$(BIN)/python -m tests.nodes.proof $(ARGS)

bench: $(VENV)/ready   ## requests per second and CPU per request, beside a bare Spyne service
	$(BIN)/python -m benchmarks $(ARGS)

bench-delivery: $(VENV)/ready   ## messages per second, CPU and latency of delivery, beside bare Procrastinate
	$(BIN)/python -m benchmarks.delivery $(ARGS)

bench-outage: $(VENV)/ready   ## an hour without HIS: how 30,000 waiting messages drain
	$(BIN)/python -m benchmarks.outage $(ARGS)

bench-mapping: $(VENV)/ready   ## what a partner's stylesheets cost, beside bare zeep
	$(BIN)/python -m benchmarks.mapping $(ARGS)

lint: $(VENV)/ready   ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

messages: $(VENV)/ready   ## make the message classes again after a change of xsd/
	$(BIN)/python -m gateway.messages.generate

states: $(VENV)/ready   ## write the documentation of state machines and failures again after a change of their tables
	$(BIN)/python -m gateway.model.state_documents
	$(BIN)/python -m gateway.delivery.failure_document

lock:            ## resolve pyproject.toml again into requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --extra dev \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock

# Built aside and renamed into place, so that an interrupted install is never taken for a finished one.
$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:           ## remove what the above made
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache
