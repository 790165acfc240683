# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Wireshark's opinion of what the host sent."""

import os
import shutil
import subprocess

BAD = "_ws.malformed || icmpv6.checksum.status == 0 || _ws.expert.severity >= 0x600000"
FIELDS = ("frame.number", "_ws.malformed", "icmpv6.checksum.status", "_ws.expert.message",
          "_ws.col.Info")


def _run(*args):
    done = subprocess.run(["tshark", "-n", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"tshark: {done.stderr}"
    return done.stdout


def complaints(path):
    """The frames that are malformed, have a bad checksum, or earn a warning."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    return _run("-r", path, "-Y", BAD, "-T", "fields", *fields).splitlines()


def count(path, display_filter):
    return len(_run("-r", path, "-Y", display_filter, "-T", "fields",
                    "-e", "frame.number").splitlines())


def judge(endpoint, directory, name):
    """Capture to a file and have it judged; MLDV2_PCAP_DIR keeps a copy."""
    path = os.path.join(directory, f"{name}.pcap")
    frames = endpoint.write_pcap(path)
    keep = os.environ.get("MLDV2_PCAP_DIR")
    if keep:
        shutil.copy(path, keep)
    if frames:
        found = complaints(path)
        assert not found, f"tshark on {name}:\n" + "\n".join(found)
    return path
