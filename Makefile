# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
#
# A thin front for meson and tools/. Each target says what it needs and installs it.

BUILD_DIR ?= build
export BUILD_DIR

help:
	@echo "make run      the demonstration: join, report, filter, on a real querier's link"
	@echo "make test     every test; ends with a count"
	@echo "make check    format, lint, dependency rule"
	@echo "make bench    speed against baselines, and which targets were met"
	@echo "make fuzz     the fuzz targets, a minute each (FUZZ_SECONDS, FUZZ_TARGETS)"
	@echo "make soak     hours in the life of a host: plain and sanitized, SOAK_SECONDS each (600)"
	@echo "make tsan     the suites unit, dpdk and fuzz with ThreadSanitizer"
	@echo "make doc      the reference of the public headers, in $(BUILD_DIR)/doc/html"
	@echo "make matrix   build and test with other releases of Debian, DPDK and compilers"
	@echo "make build    only build"
	@echo "make install  build and install (DESTDIR is honoured)"
	@echo "make clean    remove $(BUILD_DIR)/, build-bench/, build-fuzz/, build-soak*/, build-tsan/"

run:
	@tools/run

test:
	@tools/test

check:
	@tools/check

# Its own directory, built for speed, unless the caller names one.
bench: export BUILD_DIR := $(if $(filter file,$(origin BUILD_DIR)),build-bench,$(BUILD_DIR))
bench:
	@tools/bench

fuzz: export BUILD_DIR := $(if $(filter file,$(origin BUILD_DIR)),build-fuzz,$(BUILD_DIR))
fuzz:
	@tools/fuzz

soak: export BUILD_DIR := $(if $(filter file,$(origin BUILD_DIR)),build-soak,$(BUILD_DIR))
soak:
	@tools/soak

tsan: export BUILD_DIR := $(if $(filter file,$(origin BUILD_DIR)),build-tsan,$(BUILD_DIR))
tsan:
	@tools/tsan

doc:
	@tools/doc

# MATRIX names releases and compilers, as in: make matrix MATRIX="trixie clang"
matrix:
	@tools/matrix $(MATRIX)

build:
	@tools/setup run
	@tools/build

install: build
	@ninja --quiet -C $(BUILD_DIR) install
	@test -n "$(DESTDIR)" || ldconfig

clean:
	@rm -rf $(BUILD_DIR) build-bench build-fuzz build-soak build-soak-asan build-tsan

.PHONY: help run test check bench fuzz soak tsan doc matrix build install clean
