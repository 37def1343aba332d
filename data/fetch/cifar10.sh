#!/usr/bin/env bash
# Fetches CIFAR-10's binary version (170 MB) into ${MAS_DATA:-~/.local/share/mas}/cifar10 and checks it. CIFAR-10 is by Alex
# Krizhevsky, Vinod Nair and Geoffrey Hinton; its home page states no licence, and an MD5 sum. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title=CIFAR-10 terms="none stated" unpacked=184400000
arrange() { unpack cifar-10-binary.tar.gz --strip-components=1; }
fetch_set cifar10 https://www.cs.toronto.edu/~kriz arrange <<'FILES'
c32a1d4ab5d03f1284b67883e8d87530 170052171 cifar-10-binary.tar.gz
FILES
