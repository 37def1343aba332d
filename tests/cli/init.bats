#!/usr/bin/env bats
# Networks that start with another program's weights.

load helper

# Weights for a network on glyphs, in each format, with a head of 10 outputs.
setup_file() {
  cd "$BATS_FILE_TMPDIR" || return
  /usr/bin/python3 -c 'import torch, h5py' 2>/dev/null || return 0
  cat >net.json <<'J'
{"head": "out", "layers": [{"type": "conv2d", "name": "stem.0", "out": 4, "kernel": 3, "stride": 3, "bias": false},
                           {"type": "batch_norm2d", "name": "stem.1"}, {"type": "relu"}, {"type": "flatten"},
                           {"type": "linear", "name": "code", "out": 12}, {"type": "tanh"}]}
J
  /usr/bin/python3 - <<'P'
import json, struct, torch
torch.manual_seed(3)
net = torch.nn.ModuleDict({"stem": torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, 3, bias=False), torch.nn.BatchNorm2d(4)),
                           "code": torch.nn.Linear(324, 12), "out": torch.nn.Linear(12, 10)})
state = net.state_dict()
torch.save(state, "zip.pt")
torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
torch.save({"epoch": 1, "state_dict": torch.nn.DataParallel(net).state_dict()}, "checkpoint.pt")
torch.save(net.half().state_dict(), "half.pt")
torch.save(net, "module.pt")
torch.save({k: v for k, v in state.items() if k != "code.bias"}, "lacking.pt")
header, data = {}, b""
for name, value in state.items():
    values = value.numpy().tobytes()
    dtype = "I64" if value.dtype == torch.long else "F32"
    header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(values)]}
    data += values
text = json.dumps(header).encode()
open("weights.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
P
}

setup() {
  [ -e "$BATS_FILE_TMPDIR/zip.pt" ] || skip "needs python3-torch and python3-h5py"
  cd "$BATS_TEST_TMPDIR" || return
  ln -s "$BATS_FILE_TMPDIR"/* .
}

# start WEIGHTS OUTPUT [OPTION...]: a training that changes next to nothing.
start() { mas-train --arch net.json --init "$1" --data "$small" --epochs 1 --lr 1e-12 --no-results -o "${@:2}" >report; }

# A model file's weights and head are those of zip.pt, up to a tolerance.
same_weights() {  # MODEL TOLERANCE
  /usr/bin/python3 - "$@" <<'P'
import sys, h5py, torch
state = torch.load("zip.pt")
with h5py.File(sys.argv[1]) as f:
    ours = {name: torch.from_numpy(value[()]) for name, value in f["weights"].items()}
    for local, value in f["heads/task1"].items():
        ours["out." + local] = torch.from_numpy(value[()])
names = {name for name, value in state.items() if "running" not in name and "tracked" not in name}
assert set(ours) == names, (set(ours), names)
for name in names:
    assert torch.allclose(ours[name], state[name], rtol=0, atol=float(sys.argv[2])), name
P
}

@test "each format gives the network its weights and its head" {
  for weights in zip.pt legacy.pt weights.safetensors; do
    silent start "$weights" "$weights.h5"
    same_weights "$weights.h5" 1e-9
    cmp "$weights.h5" zip.pt.h5
  done
  silent start zip.pt.h5 again.h5
  same_weights again.h5 1e-9
  silent start - piped.h5 <zip.pt
  cmp piped.h5 zip.pt.h5
}

@test "what was unwrapped, widened or left out is said in a line each, and -q keeps silent" {
  start checkpoint.pt m.h5 2>err
  printf 'mas-train: checkpoint.pt: %s\n' 'weights taken from its entry "state_dict"' '"module." taken off all names' | diff - err
  same_weights m.h5 1e-9
  start half.pt m.h5 2>err
  grep -qx "mas-train: half.pt: [0-9]* tensors of float16 widened to float32" err
  same_weights m.h5 1e-3
  mas-train --arch net.json --init zip.pt --data "$small,classes=0-4" --epochs 1 --no-results -o m.h5 >report 2>err
  [ "$(cat err)" = "mas-train: zip.pt: out.weight left out: shape 10 x 12, but this task needs 5 x 12; its head starts anew" ]
  silent mas-train -q --arch net.json --init zip.pt --data "$small,classes=0-4" --epochs 1 --no-results -o m.h5
}

@test "weights that don't fit are named, before any work and without a file" {
  train=(mas-train --data "$small" --epochs 1 -o x.h5)
  fails 1 "mas-train: lacking.pt: code.bias is missing; the nearest name is *" "${train[@]}" --arch net.json --init lacking.pt
  fails 1 "mas-train: zip.pt: fc1.bias is missing; the nearest name is *" "${train[@]}" --arch mlp:4 --init zip.pt
  sed 's/"out": 12/"out": 13/' net.json >wider.json
  fails 1 "mas-train: zip.pt: code.bias: shape 12, but the architecture needs 13" "${train[@]}" --arch wider.json --init zip.pt
  sed 's/"head": "out", //' net.json >headless.json
  fails 1 'mas-train: zip.pt: out.bias: the architecture has no such tensor; if it is the last layer, say so in the architecture: "head": "out"' \
    "${train[@]}" --arch headless.json --init zip.pt
  fails 1 "mas-train: module.pt: holds the Python object torch.nn.modules.container.ModuleDict, and nothing but weights is read; save those alone: *" \
    "${train[@]}" --arch net.json --init module.pt
  fails 1 "mas-train: net.json: text, not weights *" "${train[@]}" --arch net.json --init net.json
  fails 1 "mas-train: none.pt: no such file*" "${train[@]}" --arch net.json --init none.pt
  head -c 1500 zip.pt >cut.pt
  fails 1 "mas-train: cut.pt: cut short: *" "${train[@]}" --arch net.json --init cut.pt
  [ ! -e x.h5 ]
}

@test "weights go to a new network only" {
  silent mas-train -q --arch net.json --data "$small" --epochs 1 --no-results -o m.h5
  fails 2 "mas-train: --init: gives weights to a new network; add --arch, or leave it out: the model has its own" \
    mas-train m.h5 --init zip.pt --data "$small" -o x.h5
  fails 2 "mas-train: --init: doesn't go with --resume: the checkpoint brings its own" mas-train --resume m.h5 --init zip.pt -o x.h5
}

@test "published networks train on images of any size" {
  silent mas-train -q --arch resnet18 --data "$small,limit=40,classes=0-1" --epochs 1 --no-results -o m.h5
  mas-export m.h5 | grep -q "layer2.0.downsample.0.weight *128x64x1x1"
  silent mas-importance -q m.h5 --limit 4 -o i.h5
  fails 1 "mas-train: alexnet: layer 6 (max_pool2d): a window of 3x3 doesn't fit on *" \
    mas-train --arch alexnet --data "$small,limit=40" -o x.h5
}
