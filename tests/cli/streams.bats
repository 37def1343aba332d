#!/usr/bin/env bats
# Closed and full streams, full disks, limits, signals, inputs without end, and texts that would steer a terminal.

load helper
setup_file() { load helper; make_models; }

@test "reports to a standard error that is full or closed end nothing" {
  mas-train --arch mlp:20 --data "$small,classes=0-4" --task first --epochs 2 --progress always -o a.h5 2>/dev/full >/dev/null
  cmp a.h5 "$(models)/first.h5"
  mas-train --arch mlp:20 --data "$small,classes=0-4" --task first --epochs 2 --progress always 2>&- >b.h5
  cmp b.h5 "$(models)/first.h5"
  mas-importance --progress always "$(models)/first.h5" 2>/dev/full >c.h5
  cmp c.h5 "$(models)/important.h5"
  run -1 mas-eval missing.h5 2>/dev/full
}

@test "a closed stream is an error where it is used, and no output file takes its number" {
  mas-importance -q "$(models)/first.h5" -o a.h5 <&- >&- 2>&-
  cmp a.h5 "$(models)/important.h5"
  mas-data -q "$small" -o a.csv 2>&-
  mas-data -q "$small" -o b.csv
  cmp a.csv b.csv
  closed_output() { mas-importance -q "$(models)/first.h5" >&-; }
  fails 1 "mas-importance: standard output: bad file descriptor" closed_output
  closed_input() { mas-export - <&-; }
  fails 1 "mas-export: standard input: bad file descriptor" closed_input
}

@test "reports that a full standard output didn't take are an error, and the model is written all the same" {
  full() { "$@" >/dev/full; }
  fails 1 "mas-train: standard output: no space left on device" full mas-train --arch mlp:20 --data "$small,classes=0-4" \
    --task first --epochs 2 -o a.h5
  cmp a.h5 "$(models)/first.h5"
  fails 1 "mas-importance: standard output: no space left on device" full mas-importance a.h5 -o b.h5
  cmp b.h5 "$(models)/important.h5"
  fails 1 "mas-data: standard output: no space left on device" full mas-data "$small" -o c.h5
  [ -s c.h5 ]
  fails 1 "mas-data: standard output: no space left on device" full mas-data --help
  fails 1 "mas-data: standard output: no space left on device" full mas-data --version
}

@test "a disk that is full is an error that leaves nothing" {
  unshare -rm true 2>/dev/null || skip "needs mount namespaces"
  mkdir disk
  # shellcheck disable=SC2016
  on_small_disk() { unshare -rm sh -c 'mount -t tmpfs -o size=200k none disk && "$@"; s=$?; ls -A disk >left; exit $s' sh "$@"; }
  for kind in h5 csv; do
    fails 1 "mas-data: disk/x.$kind: no space left on device" on_small_disk mas-data glyphs -o "disk/x.$kind"
    [ ! -s left ]
  done
}

@test "a file beyond the process's limit is an error that leaves nothing" {
  limited() { (ulimit -f 20 && "$@"); }
  fails 1 "mas-data: x.h5: file too large" limited mas-data "$small" -o x.h5
  fails 1 "mas-data: x.csv: file too large" limited mas-data "$small" -o x.csv
  fails 1 "mas-importance: x.h5: file too large" limited mas-importance -q "$(models)/first.h5" -o x.h5
  [ -z "$(find . -name '*x*')" ]
  (ulimit -f 1 && mas-export "$(models)/both.h5" --format csv >out 2>err) && false
  [ "$(cat err)" = "mas-export: standard output: file too large" ]
}

@test "a signal leaves nothing of an output" {
  mas-data -q glyphs,samples=300000 -o x.h5 &
  sleep 0.7
  kill -TERM $!
  wait $! || true
  [ -z "$(ls -A)" ] || [ "$(ls -A)" = x.h5 ]
}

@test "an input that is large or without end is looked at before it is read" {
  truncate -s 100G hole.h5
  small_memory() { (ulimit -v 8000000 && "$@"); }
  fails 1 "mas-export: hole.h5: not an HDF5 file" small_memory mas-export hole.h5
  fails 1 "mas-export: /dev/zero: not an HDF5 file" small_memory mas-export /dev/zero
  endless() { cat "$(models)/first.h5" /dev/zero | small_memory mas-export -; }
  fails 1 "mas-export: standard input: content does not match its digest*" endless
}

@test "a model that another program made is written over by the run that reads it, and by no other" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  /usr/bin/python3 - "$(models)/first.h5" <<'P'
import sys, h5py
with h5py.File(sys.argv[1]) as a, h5py.File("plain.h5", "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
P
  cp plain.h5 other.h5
  fails 1 "mas-importance: other.h5: is there and isn't a model file*" mas-importance plain.h5 -o other.h5
  mas-importance -q plain.h5 -o ./plain.h5
  cmp plain.h5 "$(models)/important.h5"
}

@test "the checkpoint may be the output, but not the model that is read" {
  cp "$(models)/important.h5" m.h5
  fails 2 "mas-train: --checkpoint: is the MODEL, which *; name another file" \
    mas-train m.h5 --data "$small,classes=5-9" --checkpoint ./m.h5 -o n.h5
  cmp m.h5 "$(models)/important.h5"
  mas-train -q m.h5 --data "$small,classes=5-9" --task second --epochs 2 --checkpoint n.h5 -o n.h5
  cmp n.h5 "$(models)/both.h5"
}

@test "control characters in a file's texts don't reach the terminal" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --task ab --epochs 1 -o ab.h5
  /usr/bin/python3 - <<'P'
import h5py
with h5py.File("ab.h5", "r") as a, h5py.File("m.h5", "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
    text = f["tasks"][()].replace(b'"ab"', b'"a\\u001b[31mb"')
    del f["tasks"]
    f["tasks"] = text.decode()
    f.move("heads/ab", "heads/a\x1b[31mb")
P
  mas-eval m.h5 >report
  grep -qF 'a?[31mb' report
  { mas-export m.h5 && mas-importance -v m.h5 -o n.h5; } >>report
  mas-eval $'no\e[31m.h5' 2>err || true
  mas-train n.h5 --data "$small" --task $'a\e[31mb' -o o.h5 2>>err || true
  [ "$(wc -l <err)" -eq 2 ]
  run -1 grep -q $'\e' report err
}

@test "folders and symbolic links that lead nowhere are named with the cause" {
  mkdir folder.json
  ln -s loop.h5 loop.h5
  ln -s loop.json loop.json
  fails 1 "mas-train: folder.json: is a directory" mas-train --arch folder.json --data "$small" -o m.h5
  fails 1 "mas-train: loop.json: too many levels of symbolic links" mas-train --arch loop.json --data "$small" -o m.h5
  fails 1 "mas-export: loop.h5: too many levels of symbolic links" mas-export loop.h5
  fails 1 "mas-data: loop.h5: *" mas-data loop.h5
  fails 1 "mas-data: loop.h5: too many levels of symbolic links" mas-data "$small" -o loop.h5
  fails 1 "mas-data: loop.h5/: *" mas-data "$small" -o loop.h5/
  fails 1 "mas-train: loop.h5: too many levels of symbolic links" mas-train --arch mlp:8 --data "$small" -o loop.h5
  fails 1 "mas-train: loop.h5/m.h5: too many levels of symbolic links" mas-train --arch mlp:8 --data "$small" -o loop.h5/m.h5
}

@test "HDF5 data may be packed like the others" {
  mas-data -q "$small" -o d.h5
  mas-data d.h5 >plain
  gzip d.h5
  mas-data d.h5.gz >packed
  cmp plain packed
}

@test "JSON is UTF-8 whatever a file is called" {
  cp "$(models)/first.h5" $'caf\xe9.h5'
  silent mas-eval --json $'caf\xe9.h5' >out
  iconv -f UTF-8 -t UTF-8 out >/dev/null
  mas-data -q "$small" -o $'caf\xe9.h5.csv'
  silent mas-data --json $'caf\xe9.h5.csv' >out
  iconv -f UTF-8 -t UTF-8 out >/dev/null
}
