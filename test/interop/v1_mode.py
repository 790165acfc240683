# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""MLDv1 mode, entered and waited for."""

import time

V1_REPORT = {"V1_REPORT": set()}


def wait_for_mode(bench, mode, seconds):
    deadline = time.time() + seconds
    while bench.port_info()["mode"] != mode:
        assert time.time() < deadline, f"not in mode {mode} after {seconds} s"
        time.sleep(0.01)


def enter_v1(bench, qqic=1, mrc=500):
    """Put the host into v1 mode for 2 * qqic + mrc / 1000 seconds, all answers already sent."""
    bench.query(mrc=mrc, qqic=qqic, qrv=2)
    bench.query_v1(mrd=1)
    wait_for_mode(bench, "mldv1", 1)
    time.sleep(0.03)
