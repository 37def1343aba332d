#!/usr/bin/env bash
# Fetches Fashion-MNIST (30.9 MB) into ${MAS_DATA:-~/.local/share/mas}/fashion-mnist and checks it. Fashion-MNIST is by
# Zalando SE; licence MIT. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title=Fashion-MNIST terms=MIT unpacked=30900000
fetch_set fashion-mnist "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com \
https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion" <<'FILES'
3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84 26421880 train-images-idx3-ubyte.gz
a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845 29515 train-labels-idx1-ubyte.gz
346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073 4422102 t10k-images-idx3-ubyte.gz
67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5 5148 t10k-labels-idx1-ubyte.gz
FILES
