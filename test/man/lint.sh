#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
#
# Every page in the directory of the manual is without a complaint of mandoc's. Prints TAP.
#
#   lint.sh DIRECTORY

set -u
cd "$1" || exit 1
if ! command -v mandoc >/dev/null; then
	echo "1..0 # SKIP mandoc is not installed"
	exit 0
fi
n=0
failed=0
for page in *.[1-9]; do
	n=$((n + 1))
	said=$(mandoc -Tlint -Wwarning "$page" 2>&1)
	if [ -z "$said" ] && [ -s "$page" ]; then
		echo "ok $n $page"
	else
		echo "$said" | sed 's/^/# /'
		echo "not ok $n $page"
		failed=1
	fi
done
echo "1..$n"
exit $failed
