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
	@echo "make build    only build"
	@echo "make install  build and install (DESTDIR is honoured)"
	@echo "make clean    remove $(BUILD_DIR)/"

run:
	@tools/run

test:
	@tools/test

check:
	@tools/check

build:
	@tools/setup run
	@tools/build

install: build
	@ninja --quiet -C $(BUILD_DIR) install
	@test -n "$(DESTDIR)" || ldconfig

clean:
	@rm -rf $(BUILD_DIR)

.PHONY: help run test check build install clean
