# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""soak SECONDS [SANITIZED]: run it, say how it went. MLDV2_HOST names the program."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "interop"), os.path.join(HERE, "..", "lib")]

import netns  # noqa: E402
from soak import Soak  # noqa: E402


def main():
    seconds, sanitized = float(sys.argv[1]), sys.argv[2:] == ["sanitized"]
    reason = netns.missing()
    if reason:
        sys.exit(f"soak: cannot run here: {reason}")
    with netns.Namespace() as namespace, Soak(namespace, sanitized) as soak:
        try:
            figures = soak.run(seconds, tell=lambda line: print(line, flush=True))
        except Exception:
            print(soak.host.read_log()[-4000:], file=sys.stderr)
            raise
    print(f"soak: {figures}")


if __name__ == "__main__":
    main()
