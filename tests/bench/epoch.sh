#!/usr/bin/env bash
# An epoch of mas-train over an epoch of a hand-written loop in python3-torch (epoch.py): same data, network, optimiser,
# batch and threads, in turn. And --help over an empty program linked with LibTorch.
#
#   tests/bench/epoch.sh MNIST_FOLDER [ROUNDS] [THREADS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=$root/build/bin:$PATH
mnist=$1 rounds=${2:-3} threads=${3:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

python() { OMP_WAIT_POLICY=$1 /usr/bin/python3 "$here/epoch.py" "$mnist" 3 "$threads" "${@:2}"; }
epochs() { mas-train "$@" --data "$mnist" --epochs 3 --threads "$threads" --no-results -o "$work/m.h5" | sed -n 's/.*  \([0-9.]*\) s$/\1/p'; }

mas-train -q --arch mlp:400,400 --data "$mnist" --epochs 1 --threads "$threads" --no-results | mas-importance -q - -o "$work/omega.h5"
for _ in $(seq "$rounds"); do
  epochs --arch mlp:400,400 >>"$work/ours"
  epochs "$work/omega.h5" --task next --lambda 0.1 >>"$work/ours with MAS"
  epochs "$work/omega.h5" --task next --lambda 0 >>"$work/ours without"
  env -u OMP_WAIT_POLICY /usr/bin/python3 "$here/epoch.py" "$mnist" 3 "$threads" >>"$work/theirs"
  python passive >>"$work/passive"
  python passive penalty >>"$work/passive with MAS"
done
ratio() {  # NAME FILE NAME FILE
  awk -v a="$(median <"$work/$2")" -v b="$(median <"$work/$4")" -v t="$threads" -v n="$1" -v m="$3" \
    'BEGIN { printf "epoch of MNIST, %d threads: %s %.2f s, %s %.2f s, ratio %.2f\n", t, n, a, m, b, a / b }'
}
ratio mas-train ours python3-torch theirs
ratio mas-train ours "python3-torch with OMP_WAIT_POLICY=passive" passive
ratio "mas-train with MAS" "ours with MAS" "without it" "ours without"
ratio "mas-train with MAS" "ours with MAS" "MAS by hand in python3-torch with OMP_WAIT_POLICY=passive" "passive with MAS"

echo '#include <torch/torch.h>
int main() { return torch::cuda::is_available(); }' >"$work/empty.cpp"
g++ -std=c++17 -I/usr/include/torch/csrc/api/include "$work/empty.cpp" -o "$work/empty" -ltorch -ltorch_cpu -lc10
seconds() { local begin; begin=$(date +%s%N); "$@" >/dev/null; echo $(($(date +%s%N) - begin)); }
for _ in $(seq 15); do
  seconds mas-train --help >>"$work/help"
  seconds "$work/empty" >>"$work/nothing"
done
awk -v a="$(median <"$work/help")" -v b="$(median <"$work/nothing")" \
  'BEGIN { printf "--help %.0f ms, empty program with LibTorch %.0f ms, ratio %.2f\n", a / 1e6, b / 1e6, a / b }'
