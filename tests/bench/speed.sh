#!/usr/bin/env bash
# All timings of one machine as a page of Markdown, for data/results/speed.md. Wants a machine that does nothing else.
#
#   tests/bench/speed.sh MNIST_FOLDER [THREADS] >data/results/speed.md
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bench=$root/build/tests/bench
mnist=$1 threads=${2:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive OPENBLAS_THREAD_TIMEOUT=18  # as tools/launch

echo "# Speed"
echo
echo "\`tests/bench/speed.sh $(basename "$mnist") $threads\`, mas $("$root/build/bin/mas-train" --version | awk '{ print $NF }'), $(date -u +%F)."
sed -n 's/^model name[^:]*: *\(.*\)/Processor: \1./p' /proc/cpuinfo | head -n 1
echo
echo "## Exact importance over a plain pass"
echo
"$bench/bench_importance" --threads "$threads"
echo
echo "With the tools' allocator:"
echo
"$bench/bench_importance" --threads "$threads" --allocator | tail -n +3
echo
echo "## A training step with the penalty over one without"
echo
"$bench/bench_training" --threads "$threads"
echo
echo "## Whole programs"
echo
env -u OMP_WAIT_POLICY -u OPENBLAS_THREAD_TIMEOUT "$here/epoch.sh" "$mnist" 3 "$threads" | sed 's/^/- /'
PATH=$root/build/bin:$PATH
mas-train -q --arch mlp:400,400 --data "$mnist,limit=1000" --epochs 1 --no-results -o "$work/m.h5"
for limit in 2000 60000; do
  peak=$(/usr/bin/time -f %M mas-importance -q "$work/m.h5" --data "$mnist,limit=$limit" -o /dev/null 2>&1 | tail -n 1)
  echo "- mas-importance, mlp:400,400, $limit images: peak memory $((peak / 1024)) MB"
done
