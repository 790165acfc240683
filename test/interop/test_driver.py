# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The driver's scripts (test/driver/scripts) against a running mldv2-host.

The unit suite runs the same scripts against a context in the driver's own process.
"""

import os
import pathlib
import subprocess

import pytest

SCRIPTS = pathlib.Path(__file__).parent.parent / "driver" / "scripts"
PORTS = 2
CONFIG = "[mldv2]\n"  # the limits by default


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.msf")))
def test_driver(bench, script):
    driver = os.environ.get("MSF_DRIVER", "")
    if not os.access(driver, os.X_OK):
        pytest.skip("MSF_DRIVER does not name the msf-driver binary")
    done = subprocess.run(
        [driver, "--telemetry", bench.host.telemetry_path, SCRIPTS / f"{script}.msf"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert " 0 otherwise" in done.stdout and not done.stdout.startswith("# 0 ")
