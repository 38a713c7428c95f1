# Everything a newcomer or a developer runs; each target prepares what it needs and is quick the second time.
#   IMAGE=my.jpg     the picture for `make demo`
#   ARGS="-k glb"    more words for pytest in `make test`
#   BLENDER=…        a Blender program, 4.2 or newer, instead of the bpy module
#   PYTHON=…         the Python to make the environments with
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench extension clean
PREPARE := sh tools/environment.sh
RUN := .venv/bin/python

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2} /^#   / {print substr($$0, 5)}' Makefile

demo: ## a photograph becomes an object in Blender: out/demo.blend, out/demo.glb, out/demo.png
	@$(PREPARE) backend cpu && $(RUN) tools/demo.py $(if $(IMAGE),"$(IMAGE)")

test: ## all tests
	@$(PREPARE) backend cpu dev networks && $(PREPARE) blender && $(RUN) -m pytest $(ARGS)

lint: ## ruff and pyright
	@$(PREPARE) backend cpu dev networks && $(RUN) -m ruff check && $(RUN) -m ruff format --check && $(RUN) -m pyright

bench: ## measure the claims of the README
	@$(PREPARE) backend cpu dev networks && $(PREPARE) blender && $(RUN) -m benchmarks $(ARGS)

extension: ## the extension for Blender: dist/omagen-VERSION.zip
	@$(PREPARE) backend && $(RUN) tools/extension.py

clean: ## remove everything that the other targets made
	rm -rf .venv .venv-blender .cache out dist .pytest_cache .ruff_cache .hypothesis
