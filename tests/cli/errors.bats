#!/usr/bin/env bats
# What can't be used gets one line, exit 1 (or 2 for wrong usage), and nothing is written.

load helper
setup_file() { load helper; make_models; }

# Each tool that reads a model gives the same cause.
every_reader() {  # MESSAGE FILE
  fails 1 "mas-eval: $1" mas-eval "$2"
  fails 1 "mas-export: $1" mas-export "$2"
  fails 1 "mas-importance: $1" mas-importance "$2" -o out.h5
  fails 1 "mas-train: $1" mas-train "$2" --data "$small" -o out.h5
  [ ! -e out.h5 ]
}

@test "files that are no models" {
  : >empty.h5
  every_reader "empty.h5: empty*" empty.h5
  mkdir folder
  every_reader "folder: *directory*" folder
  every_reader "missing.h5: no such file*" missing.h5
  echo "not a model, just some text" >text.h5
  every_reader "text.h5: text, not an HDF5 file*" text.h5
  head -c 100000 /dev/zero >zero.h5
  every_reader "zero.h5: not an HDF5 file*" zero.h5
}

@test "models that are cut or changed" {
  head -c 20000 "$(models)/first.h5" >cut.h5
  every_reader "cut.h5: *" cut.h5
  size=$(stat -c %s "$(models)/first.h5")
  for at in 0 7 20 100 511 512 530 $((size / 2)) $((size - 1)); do
    cp "$(models)/first.h5" changed.h5
    byte=$(od -An -tu1 -j "$at" -N 1 changed.h5)
    printf %b "\\x$(printf %x $((byte ^ 1)))" | dd of=changed.h5 bs=1 seek="$at" conv=notrunc status=none
    fails 1 "mas-export: changed.h5: *" mas-export changed.h5
  done
  cat "$(models)/first.h5" <(echo more) >longer.h5
  every_reader "longer.h5: *" longer.h5
}

@test "models that another program made wrong" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  make() {  # SCRIPT: changes a plain copy of important.h5 in f
    /usr/bin/python3 - "$(models)/important.h5" "$1" <<'P'
import sys, h5py
with h5py.File(sys.argv[1]) as a, h5py.File("bad.h5", "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
    exec(sys.argv[2])
P
  }
  make 'pass'
  mas-export bad.h5 >/dev/null
  make 'del f["weights"]'
  every_reader "bad.h5: *no weights*" bad.h5
  make 'f.attrs["format"] = "other"'
  every_reader "bad.h5: *format*" bad.h5
  make 'f.attrs["format_version"] = "2.0"'
  every_reader "bad.h5: *version 2*" bad.h5
  make 'f["weights/fc1.weight"][0, 0] = float("nan")'
  every_reader "bad.h5: *fc1.weight*NaN*" bad.h5
  make 'del f["weights/fc1.weight"]; f["weights/fc1.weight"] = [[1.0, 2.0]]'
  every_reader "bad.h5: *fc1.weight*" bad.h5
  make 'f["importance/sum/other"] = [1.0]'
  every_reader "bad.h5: *other*" bad.h5
  make 'del f["importance/sum/fc1.bias"]; f["importance/sum/fc1.bias"] = [1.0]'
  every_reader "bad.h5: *fc1.bias*" bad.h5
  make 'f["importance"].attrs["tasks"] = 2'
  every_reader "bad.h5: /importance: of task 2, but /tasks has 1" bad.h5
  uses_importance() {  # MESSAGE: of all that make use of importance
    fails 1 "mas-export: $1" mas-export bad.h5
    fails 1 "mas-importance: $1" mas-importance bad.h5 -o out.h5
    fails 1 "mas-train: $1" mas-train bad.h5 --data "$small,classes=5-9" -o out.h5
  }
  make 'f["importance"].attrs["method"] = "foo"'
  uses_importance 'bad.h5: /importance has the unknown method "foo"'
  make 'f.copy("importance/sum", f["importance"], "anchor")'
  uses_importance 'bad.h5: /importance/anchor is there, but the combine rule is "sum", which has none'
  [ ! -e out.h5 ]
  make 'f["weights/extra"] = h5py.ExternalLink("/etc/passwd", "/x")'
  every_reader "bad.h5: *link to another file*" bad.h5
}

@test "a name in a file stays in its line" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  mas-train -q --arch mlp:8 --scenario domain --data "$small,classes=0-1" --task abc --epochs 1 -o plain.h5
  /usr/bin/python3 - <<'P'
import h5py
with h5py.File("plain.h5") as a, h5py.File("named.h5", "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
    for k in "tasks", "results":
        text = f[k][()].decode().replace('"abc"', r'"a\nb\u001b[1m\t"')
        del f[k]
        f[k] = text
P
  mas-eval named.h5 >report
  mas-eval named.h5 --csv >>report
  mas-train named.h5 --data "$small,classes=2-3" --epochs 1 -o next.h5 2>>report >>report
  [ "$(grep -c 'a?b?\[1m?' report)" -ge 5 ]
  run ! grep -qP 'a$|^b|[\t\x1b]' report
  mas-eval named.h5 --json | grep -qF '"a\nb\u001b[1m\t"'
}

@test "checkpoints that another program made wrong" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  mas-importance -q "$(models)/first.h5" --method l2 -o l2.h5
  mas-train -q l2.h5 --data "$small,classes=5-9" --epochs 3 --validation 0.1 --patience 2 --track si --checkpoint ck.h5 -o m.h5
  rm m.h5
  wrong() {  # MESSAGE SCRIPT
    /usr/bin/python3 - "$2" <<'P'
import sys, json, h5py
with h5py.File("ck.h5") as a, h5py.File("bad.h5", "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
    def retype(name, kind):
        values = f[name][()].astype(kind)
        del f[name]
        f[name] = values
    exec(sys.argv[1])
P
    fails 1 "mas-train: bad.h5: $1" mas-train --resume bad.h5 -o m.h5
    [ ! -e m.h5 ]
  }
  wrong "/importance, which /tasks weighs by lambda 1, is missing" 'del f["importance"]'
  wrong "/optimizer/anchor/fc1.bias is missing, expected float32 of 20" 'del f["optimizer/anchor/fc1.bias"]'
  for group in anchor start path best; do
    wrong "/optimizer/$group/fc1.bias: int64 of 20, expected float32 of 20" "retype('optimizer/$group/fc1.bias', 'int64')"
    wrong "/optimizer/$group/fc1.bias: bool of 20, expected float32 of 20" "retype('optimizer/$group/fc1.bias', 'bool')"
  done
  wrong "/optimizer/state/mean/fc1.bias is missing, or of another shape or type" "retype('optimizer/state/mean/fc1.bias', 'int64')"
  wrong "/optimizer/best/* is missing, expected *" 'del f["optimizer/best"]'
  options() { echo "t = json.loads(f['tasks'][()]); t[-1]['options'].update($1); del f['tasks']; f['tasks'] = json.dumps(t)"; }
  wrong "/tasks: --code: a code of 20 has to be smaller than the 20 features of bad.h5; give a smaller one" "$(options "{'code': 20}")"
  wrong "/tasks: --code: must be a whole number from 0 to 1000000000000, got 4611686018427387904" "$(options "{'code': 2**62}")"
  wrong "/tasks: --temperature: must be a positive number" \
    "$(options "{'distill': 'lwf', 'distill_weight': 1, 'temperature': 0}")"
}

@test "an empty value is an error of its option" {
  for option in --track --distill --checkpoint --resume --merge-weights --task --output; do
    fails 2 "mas-train: $option: is empty" mas-train x.h5 "$option" ""
  done
  for option in --combine --shard --merge; do
    fails 2 "mas-importance: $option: is empty" mas-importance x.h5 "$option" ""
  done
  fails 2 "mas-eval: --joint: is empty" mas-eval x.h5 --joint ""
  fails 2 "mas-eval: MODEL: is empty" mas-eval x.h5 ""
  fails 2 "mas-export: --format: is empty" mas-export x.h5 --format ""
  fails 2 "mas-data: --sheet: is empty" mas-data glyphs --sheet=
  fails 2 "mas-train: --epochs: is empty" mas-train --arch mlp:8 --data "$small" --epochs= 3
}

@test "an option that is meant once is given once" {
  fails 2 "mas-train: --batch: given twice (see mas-train --help)" mas-train --arch mlp:8 --data "$small" --batch 2 --batch 3
  fails 2 "mas-export: --output: given twice *" mas-export x.h5 -o a -o b --task c
  fails 2 "mas-train: --task: a is given twice; each --data is a task of its own" \
    mas-train --arch mlp:8 --data "$small" --data "$small" --task a --task a -o m.h5
  fails 2 "mas-train: *--epochs*" mas-train --arch mlp:8 --data "$small" --data "$small" --epochs
}

@test "wrong options name the nearest right one" {
  fails 2 "mas-train: --lamda: unknown option; did you mean --lambda?" mas-train --lamda 3
  fails 2 "mas-importance: --mehtod: unknown option; did you mean --method?" mas-importance x.h5 --mehtod=local
  fails 2 "mas-eval: --jsn: unknown option; did you mean --json?" mas-eval x.h5 --jsn
  fails 2 "mas-export: --fromat: unknown option; did you mean --format?" mas-export x.h5 --fromat npz
  fails 2 "mas-train: --out: unknown option; did you mean --output?" mas-train a.h5 --out b.h5
  fails 2 "mas-data: --shet: unknown option; did you mean --sheet?" mas-data glyphs --shet x.png
  fails 2 "mas-eval: *MODEL*required*" mas-eval
  fails 2 "mas-train: *--epochs*abc*" mas-train --arch mlp:8 --data glyphs --epochs abc
  fails 2 "mas-train: *--epochs*0*" mas-train --arch mlp:8 --data glyphs --epochs 0
  fails 2 "mas-train: --batch: must be a whole number from 1 to 1000000000000, got 2.5 *" mas-train --arch mlp:8 --data glyphs --batch 2.5
  fails 2 "mas-train: --seed: must be a whole number from 0 to 18446744073709551615, got -1 *" mas-train --arch mlp:8 --data glyphs --seed -1
  fails 2 "mas-train: --epochs: must be a whole number *, got 99999999999999999999 *" mas-train --arch mlp:8 --data glyphs --epochs 99999999999999999999
  fails 2 "mas-importance: --limit: must be a whole number *, got 050 *" mas-importance x.h5 --limit 050
  fails 2 "mas-importance: --limit: must be a whole number *, got 0x10 *" mas-importance x.h5 --limit 0x10
  fails 2 "mas-importance: --batch: must be a whole number from 1, or auto, got 010" mas-importance x.h5 --batch 010
  fails 2 "mas-train: --threads: must be a whole number from 1 to 1024, got 0 *" mas-train --arch mlp:8 --data glyphs --threads 0
  fails 2 "mas-data: --columns: must be a whole number from 1 to 1000, got 1001 *" mas-data glyphs --columns 1001
  fails 2 "mas-train: *--lambda*" mas-train --arch mlp:8 --data glyphs --lambda nan
  fails 2 "mas-train: *--lr*" mas-train --arch mlp:8 --data glyphs --lr -1
  fails 2 "mas-train: more: unexpected argument; see mas-train --help" mas-train a.h5 more --data glyphs
  fails 2 "mas-export: --what: must be weights, importance or both, got omega *" mas-export a.h5 --what omega
}

@test "networks without weights" {
  echo '{"layers": [{"type": "relu"}, {"type": "flatten"}]}' >none.json
  fails 1 "mas-train: none.json: has no layer with weights that tasks could share" mas-train --arch none.json --data "$small" -o m.h5
  silent mas-train -q --arch none.json --scenario class --data "$small" --epochs 1 -o m.h5 # its head is shared
}

@test "data that can't be used" {
  fails 1 "mas-train: nowhere.csv: *" mas-train --arch mlp:8 --data nowhere.csv -o m.h5
  fails 1 "mas-train: mnist: *--data-dir*" mas-train --arch mlp:8 --data mnist -o m.h5
  fails 2 "mas-train: *clases*classes*" mas-train --arch mlp:8 --data glyphs,clases=0-4 -o m.h5
  fails 1 "mas-train: *17*" mas-train --arch mlp:8 --data glyphs,classes=17 -o m.h5
  [ ! -e m.h5 ]
}
