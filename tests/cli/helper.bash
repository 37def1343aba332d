# shellcheck shell=bash disable=SC2034
# Shared by the command-line tests: each runs in a folder of its own with the built tools first in PATH.

bats_require_minimum_version 1.5.0
PATH=$MAS_BIN/bin:$PATH
shared=$MAS_SOURCE/../shared
unset MAS_DATA
export HOME=$BATS_FILE_TMPDIR

# A quick task: few samples of the built-in data and a small network.
small=glyphs,samples=400

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# make_models: first.h5 (a task), important.h5 (with importance), both.h5 (a second task); once a file of tests.
make_models() {
  cd "$BATS_FILE_TMPDIR" || return
  mas-train -q --arch mlp:20 --data "$small,classes=0-4" --task first --epochs 2 -o first.h5
  mas-importance -q first.h5 -o important.h5
  mas-train -q important.h5 --data "$small,classes=5-9" --task second --epochs 2 -o both.h5
}
models() { echo "$BATS_FILE_TMPDIR"; }

need_shared() { [ -d "$shared/datasets" ] || skip "needs ../shared"; }

# fails STATUS MESSAGE COMMAND...: exactly one line on standard error, nothing on standard output, that status.
# MESSAGE is a glob.
fails() {
  local want_status=$1 want=$2 status=0
  shift 2
  "$@" >out 2>err || status=$?
  # shellcheck disable=SC2053
  if [ "$status" -ne "$want_status" ] || [ -s out ] || [ "$(wc -l <err)" -ne 1 ] || [[ $(cat err) != $want ]]; then
    echo "command: $*"
    echo "status $status, wanted $want_status; standard output has $(wc -c <out) bytes; wanted: $want; got:"
    cat err
    return 1
  fi
}

# silent COMMAND...: status 0 and nothing on standard error.
silent() {
  local status=0
  "$@" 2>err || status=$?
  if [ "$status" -ne 0 ] || [ -s err ]; then
    echo "command: $*; status $status"
    cat err
    return 1
  fi
}

# resumes_exactly TRAIN_COMMAND...: killed after a checkpoint and resumed, it gives the same bytes. On a machine where it
# ends before it is killed it gets more --epochs.
resumes_exactly() {
  local epochs=50
  until interrupt "$@" --epochs "$epochs"; do
    [ -e part.h5 ]
    epochs=$((4 * epochs))
  done
  mas-train -q --resume ck.h5 -o part.h5
  "$@" -q --epochs "$epochs" -o whole.h5
  cmp whole.h5 part.h5
}

# interrupt TRAIN_COMMAND...: kills it when ck.h5 is there; fails where part.h5 was there before, or the command failed.
interrupt() {
  rm -f ck.h5 part.h5
  "$@" --checkpoint ck.h5 -o part.h5 >report &
  until [ -s ck.h5 ] || ! kill -0 $!; do sleep 0.02; done
  kill -KILL $! 2>/dev/null || true
  wait $! || true
  [ -s ck.h5 ] && [ ! -e part.h5 ]
}
