#!/usr/bin/env bats
# Drawings of evaluations, by gnuplot.

load helper

# abc.h5: three tasks whose data are gone, so that its rows are those in the file.
setup_file() {
  load helper
  make_models
  mas-data -q "$small" -o data/
  local next=(mas-train -q --no-results --epochs 1)
  "${next[@]}" --arch mlp:4 --scenario domain --data data,classes=0-1 --task a -o a.h5
  "${next[@]}" a.h5 --data data,classes=2-3 --task b -o b.h5
  "${next[@]}" b.h5 --data data,classes=4-5 --task c -o abc.h5
  rm -r data
}

need_gnuplot() { command -v gnuplot >/dev/null || skip "needs gnuplot"; }
need_h5py() { /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"; }

# fake_gnuplot SCRIPT: takes gnuplot's place.
fake_gnuplot() {
  mkdir -p fake
  printf '#!/bin/sh\n%s\n' "$1" >fake/gnuplot
  chmod +x fake/gnuplot
  PATH=$PWD/fake:$PATH
}

judge() { /usr/bin/python3 "$MAS_SOURCE/tests/cli/plot.py" "$@" >texts; }

# renamed TO NAMES LEAST: a copy of abc.h5 with other names and recorded accuracies.
renamed() {
  /usr/bin/python3 - "$(models)/abc.h5" "$@" <<'P'
import json, sys, h5py
names, least = json.loads(sys.argv[3]), float(sys.argv[4])
with h5py.File(sys.argv[1]) as a, h5py.File(sys.argv[2], "w") as f:
    for k, v in a.attrs.items(): f.attrs[k] = v
    for k in a: a.copy(k, f)
    tasks = [dict(t, name=name) for t, name in zip(json.loads(f["tasks"][()]), names)]
    rows = [{"learned": i + 1, "accuracy": {names[j]: least + 0.01 * (i + j) for j in range(i + 1)}} for i in range(3)]
    for k, v in ("tasks", tasks), ("results", rows):
        if k in f: del f[k]
        f[k] = json.dumps(v)
P
}

@test "each task is drawn since it was learned, and ACC" {
  need_gnuplot
  mas-eval "$(models)/both.h5" --json >want
  silent mas-eval "$(models)/both.h5" --plot both.svg --json >object
  cmp want object
  judge both.svg object
  for text in "after first" "after second" first second ACC "accuracy, %"; do grep -qx "$text" texts; done
  silent mas-eval "$(models)/first.h5" "$(models)/both.h5" --plot two.svg >report
  cmp both.svg two.svg
  mas-eval -q "$(models)/both.h5" --plot both.png
  cp both.png again.png
  silent mas-eval -q "$(models)/both.h5" --plot again.png
  cmp both.png again.png
  [ "$(head -c 8 both.png | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ]
}

@test "models out of order keep their files' names" {
  need_gnuplot
  mas-eval "$(models)/both.h5" "$(models)/first.h5" --plot two.svg --json >object 2>err
  judge two.svg object
  grep -q "both.h5$" texts
  run ! grep -q "^after " texts
}

@test "names in a file are text" {
  need_gnuplot
  need_h5py
  cat >names <<'E'
["`touch bad`' system('touch bad') #", "%d @x _{^2} \\ ]]>", "\n!touch bad\n\"<&> &#0;\uffff"]
E
  renamed hostile.h5 "$(cat names)" 0.2
  mas-eval -q hostile.h5 --plot hostile.png 2>err
  mas-eval hostile.h5 --plot hostile.svg --json >object 2>err
  judge hostile.svg object
  while read -r text; do grep -qxF "$text" texts || { echo "$text"; cat texts; false; }; done <<'E'
`touch bad`' system…ch bad') #
%d @x _{^2} \ ]] >
after %d @x _{^2} \ ]] >
?!touch bad?"<&> &#0;?
E
  [ ! -e bad ]
}

@test "the axis begins at 0, or near the least accuracy where all are above 50 %" {
  need_gnuplot
  need_h5py
  for case in 0.45:0 0.51:50 0.85:80 0.93:90; do
    renamed named.h5 '["a", "b", "c"]' "${case%:*}"
    mas-eval named.h5 --plot named.svg --json >object 2>err
    judge named.svg object
    [ "$(grep -xE '[0-9]+' texts | head -n 1)" = "${case#*:}" ]
  done
}

@test "what a user set up for gnuplot isn't heeded" {
  need_gnuplot
  HOME=$PWD
  echo "system('touch started'); exit" >.gnuplot
  GNUTERM=none silent mas-eval -q "$(models)/both.h5" --plot both.svg
  [ -s both.svg ] && [ ! -e started ]
}

@test "a drawing beyond the limit of files isn't cut" {
  need_gnuplot
  echo '<svg>old</svg>' >both.svg
  (ulimit -f 4 && fails 1 "mas-eval: gnuplot: ended by signal 25 *" mas-eval "$(models)/both.h5" --plot both.svg)
  [ "$(cat both.svg)" = '<svg>old</svg>' ]
}

@test "without gnuplot there is one line before any work" {
  mkdir empty
  fails 1 "mas-eval: --plot: needs gnuplot, which isn't installed (apt-get install gnuplot-nox)" \
    env PATH="$PWD/empty" "$MAS_BIN/bin/mas-eval" gone.h5 --plot both.svg
  [ ! -e both.svg ]
}

@test "a gnuplot that fails leaves the old file, and what it said" {
  echo '<svg>old</svg>' >both.svg
  fake_gnuplot 'printf "\nset terminal svg\n  ^\n  line 0: unknown terminal\n\n" >&2; exit 1'
  fails 1 "mas-eval: gnuplot: line 0: unknown terminal" mas-eval gone.h5 --plot both.svg
  fake_gnuplot 'cat >input'
  fails 1 "mas-eval: gnuplot: drew nothing" mas-eval "$(models)/both.h5" --plot both.svg --record recorded.h5
  fake_gnuplot 'grep -q linespoints || exit 0; echo half; kill -KILL $$'
  fails 1 "mas-eval: gnuplot: ended by signal 9 (Killed)" mas-eval "$(models)/both.h5" --plot both.svg --record recorded.h5
  [ "$(cat both.svg)" = '<svg>old</svg>' ] && [ ! -e recorded.h5 ]
}

@test "what can't be drawn, or where" {
  for file in - both both.pdf both.svg.gz; do
    fails 2 "mas-eval: --plot: must end in .svg or .png, got $file" mas-eval gone.h5 --plot "$file"
  done
  fails 2 "mas-eval: *--runs*" mas-eval --runs "$(models)/both.h5" --plot both.svg
  fails 2 "mas-eval: *--data*" mas-eval "$(models)/both.h5" --data "$small" --plot both.svg
  fails 2 "mas-eval: *--importance*" mas-eval --importance "$(models)/both.h5" --plot both.svg
  fails 1 "mas-eval: no/both.svg: the folder no doesn't exist" mas-eval gone.h5 --plot no/both.svg
  fake_gnuplot true
  cp "$(models)/both.h5" both.svg
  fails 1 "mas-eval: both.svg: is a model file; remove it first, or name another" mas-eval both.svg --plot both.svg
  cmp both.svg "$(models)/both.h5"
  mas-data -q "$small" -o data.h5
  cp data.h5 same.h5
  ln -s data.h5 link.svg
  ln -s data.h5 link.png
  for file in link.svg link.png; do
    fails 1 "mas-eval: $file: is there and isn't a drawing (SVG or PNG); remove it first, or name another" \
      mas-eval "$(models)/both.h5" --plot "$file"
  done
  cmp data.h5 same.h5
  fails 1 "mas-eval: new.svg: is what --record writes; name another file" \
    mas-eval "$(models)/both.h5" --record ./new.svg --plot new.svg
  : >same.svg
  fails 1 "mas-eval: same.svg: is what is read; name another file" mas-eval "$(models)/both.h5" --joint same.svg --plot same.svg
  [ ! -e new.svg ]
}
