#!/usr/bin/env bash
# Fetches CIFAR-10's binary version (170 MB) into ${MAS_DATA:-~/.local/share/mas}/cifar10 and checks it. CIFAR-10 is by Alex
# Krizhevsky, Vinod Nair and Geoffrey Hinton; its home page states no licence. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

unpack() {
  tar -xzf cifar-10-binary.tar.gz --strip-components=1 --no-same-owner
  rm cifar-10-binary.tar.gz
}
# The published checksum is an MD5 sum.
CHECK=md5sum fetch_set cifar10 "${MAS_FETCH_FROM:-https://www.cs.toronto.edu/~kriz}" unpack <<'SUMS'
c32a1d4ab5d03f1284b67883e8d87530  cifar-10-binary.tar.gz
SUMS
