# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The soak (test/soak), for as long as a test may take. `make soak` takes its time."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "soak"))

from soak import Soak  # noqa: E402


def test_short_soak(namespace):
    sanitized = os.environ.get("MLDV2_SANITIZE", "none") != "none"
    with Soak(namespace, sanitized) as soak:
        print(soak.run(20))
