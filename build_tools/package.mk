# Shared by the Makefiles beside each layer and function. `sam build` calls them as
# `make --makefile <folder>/Makefile build-<LogicalId>` with ARTIFACTS_DIR set, in a scratch copy of
# the folder; so the project is found from where this file lies, not from the working directory.
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)

# Where the project's own uv is, else one on PATH.
UV ?= $(or $(wildcard $(ROOT)/.venv/bin/uv),uv)

# What the packages are for. No compiler and no Docker: only wheels are installed, so any machine
# builds for any other. (amazonlinux2023, under python3.13, has glibc 2.34.)
FOREBAY_BUILD_PLATFORM ?= aarch64-manylinux_2_28
FOREBAY_BUILD_PYTHON ?= 3.13

# The locked packages of [project] dependencies, with hashes. $(1): more options of `uv export`.
export_lock = $(UV) export --quiet --frozen --project $(ROOT) --no-default-groups \
	--no-emit-project --no-header --no-annotate $(1)

# Install locked packages into the layer. $(1): a requirements file.
define install
	$(UV) pip install --quiet --no-deps --only-binary :all: --require-hashes \
		--python-platform $(FOREBAY_BUILD_PLATFORM) --python-version $(FOREBAY_BUILD_PYTHON) \
		--target "$(ARTIFACTS_DIR)/python" --requirement $(1)
endef

# Leave out what a function never reads: tests, type stubs, scripts, the installer's own records.
define strip
	@rm -rf "$(ARTIFACTS_DIR)/python/bin" "$(ARTIFACTS_DIR)/python/.lock"
	@find "$(ARTIFACTS_DIR)" -type d \( -name __pycache__ -o -name tests -o -name test \) \
		-prune -exec rm -rf {} +
	@find "$(ARTIFACTS_DIR)" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' \
		-o -path '*.dist-info/RECORD' -o -path '*.dist-info/INSTALLER' \
		-o -path '*.dist-info/REQUESTED' -o -path '*.dist-info/uv_cache.json' \) -delete
endef

# Compile to bytecode when this machine has the functions' Python: /opt is read-only there, so each
# cold start would compile every module anew (importing the dependencies: 0.53 s of CPU instead of
# 0.17 s). `unchecked-hash` keeps times out of the files, so an unchanged layer stays the same to the
# byte and is not published again.
define compile
	@if python=$$($(UV) python find --no-python-downloads --system $(FOREBAY_BUILD_PYTHON) 2>/dev/null); \
	then "$$python" -m compileall -qq --invalidation-mode unchecked-hash \
		-s "$(ARTIFACTS_DIR)" -p /opt "$(ARTIFACTS_DIR)/python"; \
	else echo "note: no Python $(FOREBAY_BUILD_PYTHON) here, so $(@:build-%=%) ships without bytecode and" \
		"cold starts take about 0.4 s longer" >&2; fi
endef
