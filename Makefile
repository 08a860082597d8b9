# make demo      install, tune lenet5 on real images, export a verified SavedModel
# make test      install what tests need, run rings 1 and 2 of the tests
# make test-all  ring 3 as well: full sizes and long attacks
# make check     ruff, mypy and the floor contract; green before each commit
# make catalogue write zoo/language/catalogue.json anew, when Keras has other layers
# make documents write anew what the documents say that the code knows
# make lock      write requirements.lock anew, from setup.cfg

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: demo test test-all check catalogue documents lock clean
.DELETE_ON_ERROR:

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1); name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python setup.cfg pyproject.toml requirements.lock
	@echo "installing into .venv: TensorFlow, Keras and keras-tuner, about 2 GB; a few minutes"
	$(INSTALL) --editable .
	@touch $@

.venv/installed-%: .venv/installed
	@echo "installing what $* needs"
	$(INSTALL) --editable '.[$*]'
	@touch $@

demo: .venv/installed
	$(BIN)/zoo tune lenet5 --data digits --trials 8 --run demo --to runs/demo/served

test: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy zoo
	$(BIN)/lint-imports --no-logo

catalogue: .venv/installed
	$(BIN)/python -m zoo.cataloguing

documents: .venv/installed-test
	$(BIN)/python tests/documenting.py

lock: .venv/installed-dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --output-file requirements.lock setup.cfg

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
