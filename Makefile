# Short names for start.py, which does the work on every system.
PYTHON ?= python3

.PHONY: lab test site student refresh format
lab test site refresh:
	$(PYTHON) start.py $@

student:
	$(PYTHON) start.py site --student

format: # needs the test extras: make test installs them
	.venv/bin/python -m ruff format .
	.venv/bin/python -m ruff check --fix .
