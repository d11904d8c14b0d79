# The project's commands. Each does its own set-up: python3 (3.11 or newer), make and git are all it takes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# dlt, whose pipelines `make connectors` runs, has an environment of its own.
DLT := .venv/dlt
# Spark has an environment of its own: the other needs neither it nor Java.
SPARK_BIN := .venv-spark/bin
SPARK_READY := .venv-spark/.ready

.DEFAULT_GOAL := help
.PHONY: help build profile unit-tests test test-fast mutations validate connectors lint format bench example demo-hubspot spark spark-test docs lock clean

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

$(DLT)/.ready: requirements-dlt.txt $(READY)
	$(PYTHON) -m venv $(DLT)
	$(DLT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dlt.txt
	touch $(DLT)/.ready

$(SPARK_READY): requirements-spark.txt pyproject.toml
	$(PYTHON) -m venv .venv-spark
	$(SPARK_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-spark.txt
	$(SPARK_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(SPARK_READY)

build: $(READY)  ## Build the demo company and say what was made
	$(BIN)/dbt build

profile: $(READY)  ## Say which nodes of the last build took longest
	$(BIN)/icp profile

unit-tests: $(READY)  ## Run dbt's unit tests, which `make test` does too, on the last build's database
	ICP_UNIT_TESTS=true $(BIN)/dbt test --select test_type:unit --target-path target/unit_tests

test: $(READY)  ## Run everything that must hold
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-fast: $(READY)  ## Run what builds no whole company
	$(BIN)/python -m pytest --numprocesses 2 -m "not slow"

mutations: $(READY) $(SPARK_READY)  ## Break the project in the ways of tests/mutations.yml and see its tests fail
	$(BIN)/python tests/support/mutations.py

validate: $(READY)  ## Run every study at full size, write docs/validation.md, build 60 random companies and very large ones, kill ten builds
	$(BIN)/python -m icp_refinery.studies.report
	ICP_RANDOM_COMPANIES=60 $(BIN)/python -m pytest --numprocesses 2 tests/python/test_random_companies.py
	ICP_ALL_WORLDS=1 $(BIN)/python -m pytest --numprocesses 2 tests/python/test_seasonality.py tests/python/test_scorecard.py
	ICP_LARGE_INPUTS=1 $(BIN)/python -m pytest --numprocesses 0 -s tests/python/test_large_inputs.py
	ICP_KILLS=10 $(BIN)/python -m pytest --numprocesses 0 tests/python/test_builds.py -k killed_at_any_moment

connectors: $(READY) $(DLT)/.ready  ## Build HubSpot and Salesforce as six loaders land them, clean and with mess, and dlt itself, beside their files
	ICP_CONNECTOR_SEEDS=1,2 $(BIN)/python -m pytest --numprocesses 2 \
		tests/python/test_connectors.py tests/python/test_*_landed.py

lint: $(READY)  ## Check the format of SQL and Python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	ICP_DATABASE=:memory: $(BIN)/sqlfluff lint --processes 2 models tests/singular

format: $(READY)  ## Put SQL and Python into the format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	ICP_DATABASE=:memory: $(BIN)/sqlfluff fix models tests/singular

bench: $(READY)  ## Measure time and memory at 1 and 10 million order lines, beside a floor
	$(BIN)/python -m benchmarks.run

example: $(READY)  ## Build AdventureWorks from its raw tables and check its published figures
	$(BIN)/python examples/adventureworks/run.py

demo-hubspot: $(READY)  ## Try `icp hubspot` on the built demo company, against a stand-in on this machine
	$(BIN)/python examples/hubspot/demo.py

spark: $(SPARK_READY)  ## Build the demo company on Apache Spark, with all data tests, and compare it with DuckDB's (needs Java 17)
	$(SPARK_BIN)/python tests/spark/compare.py

spark-test: $(SPARK_READY)  ## Run the tests of the target spark, or ONLY some (needs Java 17); with ICP_SPARK_COMPANIES=1 further companies too
	$(SPARK_BIN)/python -m pytest -q $(or $(ONLY),tests/spark)

docs: $(READY)  ## Generate the static documentation with lineage
	$(BIN)/dbt docs generate --static

lock: $(READY)  ## Resolve the dependencies again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements.txt
	echo 'dlt[duckdb]~=1.31.0' | $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 --constraints requirements.txt - -o requirements-dlt.txt
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --extra dev --extra spark-connect \
		-c requirements.txt pyproject.toml -o requirements-spark.txt

clean:  ## Remove what the commands made
	rm -rf .venv .venv-spark target logs warehouse/*.duckdb* published
