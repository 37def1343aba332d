#!/usr/bin/env bash
# Fetches MNIST (11.6 MB) into ${MAS_DATA:-~/.local/share/mas}/mnist and checks it. MNIST is by Yann LeCun, Corinna Cortes
# and Christopher J. C. Burges; licence CC BY-SA 3.0. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title=MNIST terms="CC BY-SA 3.0" unpacked=11600000
fetch_set mnist "http://yann.lecun.com/exdb/mnist https://ossci-datasets.s3.amazonaws.com/mnist" <<'FILES'
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 9912422 train-images-idx3-ubyte.gz
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c 28881 train-labels-idx1-ubyte.gz
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 1648877 t10k-images-idx3-ubyte.gz
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 4542 t10k-labels-idx1-ubyte.gz
FILES
