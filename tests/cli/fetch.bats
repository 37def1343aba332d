#!/usr/bin/env bats
# The scripts in data/fetch against a server on this machine: real files where they are at hand, else archives made up here
# that are laid out as the published ones, with checksum programs that are content with them.

load helper

fetch=$MAS_SOURCE/data/fetch

setup_file() {
  command -v curl >/dev/null || skip "needs curl"
  mkdir "$BATS_FILE_TMPDIR/served"
  cd "$BATS_FILE_TMPDIR/served" || return
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/fetch_server.py" >/dev/null 2>&1 3>&- &
  echo $! >../server
  until [ -s port ]; do sleep 0.05; done
}
teardown_file() { [ ! -e "$BATS_FILE_TMPDIR/server" ] || kill "$(cat "$BATS_FILE_TMPDIR/server")"; }

setup() {
  served=$BATS_FILE_TMPDIR/served
  export MAS_DATA=$BATS_TEST_TMPDIR/data
  from whole
  cd "$BATS_TEST_TMPDIR" || return
}

# from MODE: see fetch_server.py.
from() {
  MAS_FETCH_FROM=http://127.0.0.1:$(cat "$served/port")/$1
  export MAS_FETCH_FROM
}

# trust: any file has the right checksum; of those whose names end in REAL the true program judges.
trust() {
  local tool
  mkdir -p bin
  for tool in md5sum sha1sum sha256sum; do
    cat >bin/$tool <<SH
#!/bin/sh
read -r line
case \$line in *${REAL:-/}) echo "\$line" | $(command -v $tool) "\$@" ;; esac
SH
    chmod +x bin/$tool
  done
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# fetches NAME: says what comes in two lines, and leaves the set alone.
fetches() {
  "$fetch/$1.sh" >out 2>err || { cat err; return 1; }
  [ ! -s out ]
  [ "$(wc -l <err)" -eq 2 ] || { cat err; return 1; }
  grep -qE "^$1.sh: .+, [0-9.]+ MB, [0-9.]+ MB of disk until it is done; terms: .+$" err
  grep -qE "^$1.sh: from $MAS_FETCH_FROM, checked by (MD5|SHA-1|SHA-256|size and SHA-1), into $MAS_DATA/$1$" err
  [ "$(ls -A "$MAS_DATA")" = "$1" ]
}

# refuses MESSAGE NAME: fails with that line, a glob, in the end, and leaves nothing.
refuses() {
  local status=0
  "$fetch/$2.sh" >out 2>err || status=$?
  # shellcheck disable=SC2053
  if [ $status -ne 1 ] || [ "$(wc -l <err)" -gt 4 ] || [[ $(tail -n 1 err) != "$2.sh: "$1 ]]; then
    echo "status $status; wanted: $1; got:"
    cat err
    return 1
  fi
  [ -z "$(ls -A "$MAS_DATA" 2>/dev/null)" ]
}

# holds SPEC SAMPLES CLASSES
holds() {
  silent mas-data "$1" --json >json
  grep -q "^  \"samples\": $2,$" json || { cat json; return 1; }
  [ "$(grep -c '"label":' json)" -eq "$3" ] || { cat json; return 1; }
}

@test "each script says what it does, and takes nothing else" {
  for script in "$fetch"/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" != common ] || continue
    "$script" --help >help 2>err
    [ ! -s err ]
    grep -q "^Fetches .* MB\|^Fetches .* GB" help
    tr '\n' ' ' <help | grep -qE "licence|purposes only|research only|use only|terms of use|cite them"
    grep -q "MAS_FETCH_FROM" help
    fails 2 "$name.sh: --all: takes nothing but --help" "$script" --all
    fails 1 "mas-data: $name: not found *, or fetch it with data/fetch/$name.sh" mas-data "$name"
  done
}

@test "mnist and fashion-mnist" {
  need_shared
  for name in mnist fashion-mnist; do
    cp "$shared/datasets/$name"/*.gz "$served"
    fetches $name
    holds $name 60000 10
    holds $name,split=test 10000 10
    rm -r "$MAS_DATA"
  done
}

@test "a folder that is there isn't touched" {
  mkdir -p "$MAS_DATA/mnist"
  fails 0 "mnist.sh: $MAS_DATA/mnist is there already" "$fetch/mnist.sh"
  [ -z "$(ls -A "$MAS_DATA/mnist")" ]
  rmdir "$MAS_DATA/mnist"
  ln -s nowhere "$MAS_DATA/mnist"
  fails 0 "mnist.sh: $MAS_DATA/mnist is there already" "$fetch/mnist.sh"
  [ -L "$MAS_DATA/mnist" ]
}

@test "what breaks off goes on or begins anew" {
  need_shared
  cp "$shared/datasets/mnist"/*.gz "$served"
  for mode in once anew; do
    from $mode
    fetches mnist
    rm -r "$MAS_DATA"
  done
  from always
  refuses "train-images-idx3-ubyte.gz: not to be had from $MAS_FETCH_FROM (curl: (18) *); MAS_FETCH_FROM=URL names a mirror" mnist
}

@test "a file that isn't there or has another checksum leaves nothing" {
  rm -f "$served"/*.gz
  refuses "train-images-idx3-ubyte.gz: not to be had from $MAS_FETCH_FROM (*404*); MAS_FETCH_FROM=URL names a mirror" mnist
  echo other >"$served/train-images-idx3-ubyte.gz"
  refuses "train-images-idx3-ubyte.gz: wrong checksum (SHA-256), so nothing is kept" mnist
}

@test "what comes, and too little room for it, is said before anything is downloaded" {
  mkdir bin modules
  printf '#!/bin/sh\necho Filesystem\necho "/dev/x 1 1 2000 1 /"\n' >bin/df
  touch bin/unzip modules/{scipy,h5py,PIL}.py
  chmod +x bin/*
  unset MAS_FETCH_FROM
  for script in "$fetch"/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" != common ] || continue
    PATH=$PWD/bin:$PATH PYTHONPATH=$PWD/modules \
      refuses "$MAS_DATA: 2.0 MB are free, but * are needed; MAS_DATA=FOLDER names another place" "$name"
    grep -qE "^$name.sh: from https?://[^ ]+( or https?://[^ ]+)*, checked by [A-Z0-9 and-]+, into $MAS_DATA/$name$" err ||
      grep -qE "^scenes.sh: from http.*/NewImages or https://web.mit.edu/torralba/www, checked by size and SHA-1, into" err
  done
}

@test "an archive's members can't leave the folder" {
  trust
  pack() { tar -czPf "$served/cifar-100-binary.tar.gz" "$@"; }
  mkdir x
  head -c 3074 /dev/zero | tee x/train.bin >x/test.bin
  pack --transform 's,x/,../../,' x/train.bin
  refuses "cifar-100-binary.tar.gz: can't be unpacked (tar: *), so nothing is kept" cifar100
  pack --transform "s,x/,$PWD/," x/train.bin  # absolute: lies here, and --strip-components takes the first name off
  "$fetch/cifar100.sh" 2>err
  [ ! -e train.bin ] && [ -n "$(find "$MAS_DATA/cifar100" -name train.bin)" ]
  rm -r "$MAS_DATA"
  ln -s ../../elsewhere x/link
  pack x
  refuses "cifar-100-binary.tar.gz: link is a link or device, so nothing is kept" cifar100
  rm x/link
  mkfifo x/pipe
  pack x
  refuses "cifar-100-binary.tar.gz: pipe is a link or device, so nothing is kept" cifar100
  head -c 100 "$served/cifar-100-binary.tar.gz" >half
  mv half "$served/cifar-100-binary.tar.gz"
  refuses "cifar-100-binary.tar.gz: can't be unpacked (*), so nothing is kept" cifar100
  [ "$(find . -name train.bin)" = ./x/train.bin ] && [ ! -e ../train.bin ]
}

@test "wget does where there is no curl" {
  need_shared
  command -v wget >/dev/null || skip "needs wget"
  cp "$shared/datasets/mnist"/*.gz "$served"
  mkdir bin
  for tool in bash awk dirname cat mkdir df mktemp rm mv chmod sha256sum wget; do ln -s "$(command -v $tool)" bin; done
  for mode in whole once anew; do
    from $mode
    PATH=$PWD/bin "$fetch/mnist.sh" 2>err
    [ "$(wc -l <err)" -eq 2 ]
    rm -r "$MAS_DATA"
  done
  rm "$served"/*.gz
  PATH=$PWD/bin "$fetch/mnist.sh" 2>err && false
  [[ $(tail -n 1 err) == "mnist.sh: train-images-idx3-ubyte.gz: not to be had from "*"ERROR 404"* ]]
  [ -z "$(ls -A "$MAS_DATA")" ]
}

@test "cifar10 and cifar100" {
  trust
  mkdir cifar-10-batches-bin cifar-100-binary
  for batch in data_batch_1 data_batch_2 test_batch; do head -c 30730 /dev/zero >cifar-10-batches-bin/$batch.bin; done
  tar -czf "$served/cifar-10-binary.tar.gz" cifar-10-batches-bin
  fetches cifar10
  holds cifar10 20 1
  holds cifar10,split=test 10 1
  rm -r "$MAS_DATA"
  head -c 15370 /dev/zero >cifar-100-binary/train.bin
  head -c 6148 /dev/zero >cifar-100-binary/test.bin
  tar -czf "$served/cifar-100-binary.tar.gz" cifar-100-binary
  fetches cifar100
  holds cifar100 5 1
  holds cifar100,split=test 2 1
}
