#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test with ctest.
#
#   tests/run.sh [CTEST OPTION...]     e.g. tests/run.sh -R cli
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../data/recipes/setup.sh"

# shellcheck disable=SC2086
install $build_packages doctest-dev bats shellcheck clang-format hdf5-tools python3-h5py python3-torch \
  python3-scipy python3-pil curl wget unzip man-db jq gnuplot-nox
build_project -DMAS_TESTS=ON
say "testing"
ctest --test-dir "$build" --output-on-failure --parallel 2 "$@"
