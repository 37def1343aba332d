#!/usr/bin/env bats

load helper
setup_file() { load helper; make_models; }

@test "the table names each parameter with its importance" {
  silent mas-export "$(models)/important.h5" >table
  grep -q "^parameter  *shape  *parameters  *mean omega" table
  grep -Eq "^fc1.weight  *20x784  *15680  *[0-9.e+-]+  *[0-9.e+-]+  *[0-9.e+-]+  *[0-9.]+$" table
  grep -Eq "^heads/first/bias  *5  *5  *-" table
  mas-export - <"$(models)/important.h5" | cmp - table
}

@test "every format holds the numbers that the file holds" {
  /usr/bin/python3 -c 'import h5py, numpy' || skip "needs python3-h5py"
  for format in npz json csv; do mas-export "$(models)/important.h5" --format $format -o "m.$format"; done
  /usr/bin/python3 - "$(models)/important.h5" <<'P'
import csv, json, sys, h5py, numpy as np
f = h5py.File(sys.argv[1])
z, j = np.load("m.npz"), json.load(open("m.json"))
assert j["schema"] == "mas-export/1"
rows = {}
for r in csv.DictReader(open("m.csv")): rows.setdefault(r["name"], []).append((r["weight"], r["importance"]))
count = f["importance"].attrs["count"]
for name in f["weights"]:
    w, o = f["weights"][name][:], f["importance/sum"][name][:] / count
    assert np.array_equal(z["weights/" + name], w)
    assert np.allclose(z["importance/" + name], o, rtol=1e-6, atol=0)
    assert np.array_equal(np.array(j["weights"][name]["values"], np.float32).reshape(j["weights"][name]["shape"]), w)
    assert np.array_equal(np.array([float(a) for a, b in rows[name]], np.float32).reshape(w.shape), w)
    assert np.allclose(np.array([float(b) for a, b in rows[name]]).reshape(w.shape), o, rtol=1e-6, atol=0)
assert "weights/heads/first/weight" in z
P
}

@test "what is asked for is what is written" {
  mas-export "$(models)/important.h5" --format csv --what importance | head -n 1 | grep -qx "name,index,importance"
  mas-export "$(models)/important.h5" --format csv --what weights | head -n 1 | grep -qx "name,index,weight"
  mas-export "$(models)/first.h5" --format csv | head -n 1 | grep -qx "name,index,weight"
  fails 1 "mas-export: $(models)/first.h5: has no importance to export; compute it with mas-importance" \
    mas-export "$(models)/first.h5" --format csv --what importance
  fails 2 "mas-export: *--what*--format*" mas-export "$(models)/first.h5" --what weights
}

@test "the format is told by the file's ending" {
  mas-export "$(models)/important.h5" -o o.npz
  mas-export "$(models)/important.h5" --format npz -o want
  cmp o.npz want
  mas-export "$(models)/important.h5" -o o.txt
  mas-export "$(models)/important.h5" | cmp - o.txt
  fails 2 "mas-export: --output: o.onnx ends like none of the formats (.csv, .json, .npz, .pt); name one with --format*" \
    mas-export "$(models)/important.h5" -o o.onnx
  /usr/bin/python3 -c '
import json, sys
values = json.load(sys.stdin)["weights"]["fc1.weight"]["values"]
assert all(len(repr(v)) < 16 for v in values[:50]), values[:50]' < <(mas-export "$(models)/first.h5" --format json)
  fails 2 "mas-export: --what: needs --format" mas-export "$(models)/first.h5" --what weights
}
