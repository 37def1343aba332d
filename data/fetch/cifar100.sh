#!/usr/bin/env bash
# Fetches CIFAR-100's binary version (169 MB) into ${MAS_DATA:-~/.local/share/mas}/cifar100 and checks it. CIFAR-100 is by Alex
# Krizhevsky, Vinod Nair and Geoffrey Hinton; its home page states no licence, and an MD5 sum. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title=CIFAR-100 terms="none stated" unpacked=184500000
arrange() { unpack cifar-100-binary.tar.gz --strip-components=1; }
fetch_set cifar100 https://www.cs.toronto.edu/~kriz arrange <<'FILES'
03b5dce01913d631647c71ecec9e9cb8 168513733 cifar-100-binary.tar.gz
FILES
