#!/usr/bin/env bats
# Networks of PyTorch's, saved by torch.jit.save.

load helper

setup_file() {
  load helper
  local status=0
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/torchscript.py" make "$BATS_FILE_TMPDIR" 2>/dev/null || status=$?
  [ "$status" -ne 77 ] || skip "needs python3-torch and python3-h5py"
}
setup() { cd "$BATS_TEST_TMPDIR" && ln -s "$BATS_FILE_TMPDIR"/*.{pt,h5} .; }

judge() { /usr/bin/python3 "$MAS_SOURCE/tests/cli/torchscript.py" "$@"; }

@test "reference networks get the importance that PyTorch computes one sample at a time, by every method" {
  [ -d "$shared/reference" ] || skip "needs ../shared"
  for network in mlp tiny_cnn strided_convs tiny_resnet tied_autoencoder tokens; do
    golden=$shared/reference/$network.h5
    # Groups of the golden file; those that it lacks have no such importance.
    while read -r group options; do
      h5ls "$golden/$group" >/dev/null 2>&1 || continue
      for batch in 1 5 1000; do
        # shellcheck disable=SC2086
        silent mas-importance -q "$shared/reference/$network.pt" --data "$golden" $options --batch "$batch" -o omega.h5
        judge omega "$golden" "$group" omega.h5
      done
    done <<'G'
mas --method mas
mas_batch4 --estimator batch:4
local --method local
ewc_exact --method ewc
ewc_empirical --method ewc --fisher empirical
G
  done
}

@test "a module has importance before any task, from standard input too, and more can be fed" {
  silent mas-importance net.pt --data unlabelled.h5,limit=60 -o half.h5 >report
  grep -q "^60 samples fed" report
  mas-importance -q - --data unlabelled.h5,limit=60 <net.pt | mas-export - --format npz --what importance | cmp - <(
    mas-export half.h5 --format npz --what importance)
  mas-importance -q half.h5 --data data.h5 | mas-export - | grep -q "0 tasks learned; .* 180 samples fed after task 0"
  mas-importance -q net.pt --data unlabelled.h5 --shard 1/2 -o a.h5
  mas-importance -q net.pt --data unlabelled.h5 --shard 2/2 -o b.h5
  mas-importance a.h5 --merge b.h5 -o both.h5 | grep -q "^120 samples in all"
  silent mas-importance -q tokens.pt --data ids.h5 -o t.h5
  silent mas-export t.h5 -o t.pt
  silent mas-importance -q double.pt --data unlabelled.h5 -o d.h5
  mas-export d.h5 | grep -q "^fc.weight "
  fails 2 "mas-importance: --data: is required: net.pt is a TorchScript module, which brings no data of its own" mas-importance net.pt -o x.h5
  fails 2 "mas-importance: --data: is required: half.h5 has learned no task" mas-importance half.h5 -o x.h5
}

@test "l2 of a module asks for samples to see their shape, and feeds none" {
  fails 2 "mas-importance: --data: is required: net.pt is a TorchScript module, which doesn't tell the shape of a sample" \
    mas-importance net.pt --method l2 -o x.h5
  silent mas-importance net.pt --method l2 --data unlabelled.h5 -o l2.h5 >report
  grep -q "^omega 1 for " report
  mas-export l2.h5 | grep -q "0 tasks learned; importance: method l2, estimator constant, made after task 0"
  silent mas-train -q l2.h5 --data data.h5 --epochs 1 -o next.h5
  fails 2 "mas-importance: --data: has no meaning with --method l2, which reads none" \
    mas-importance l2.h5 --method l2 --data unlabelled.h5 -o x.h5
}

@test "what a module prints doesn't mix with the model" {
  mas-importance -q chatty.pt --data unlabelled.h5 2>err >m.h5
  grep -qx hello err
  mas-export m.h5 | grep -q "^fc.weight "
}

@test "a module learns tasks: importance holds it still, and all tools work on it" {
  mas-importance -q net.pt --data unlabelled.h5 -o important.h5
  mas-train important.h5 --data data.h5,split=0.8 --task first --epochs 2 --lr 0.02 -o first.h5 >report
  grep -q "penalty 0\.[0-9]*[1-9]" report
  mas-importance -q first.h5 | mas-train -q - --data data.h5,split=0.8,classes=0-2 --task second --epochs 2 -o second.h5
  mas-eval second.h5 | grep -q "^after second "
  mas-export second.h5 | grep -q "^heads/second/weight *3x4 "
  mas-export second.h5 | grep -q "^stem.1.weight *4 "
  h5ls -r second.h5 | grep -q "^/buffers/stem.1.running_mean"
  h5ls -r second.h5 | grep -q "^/script "
}

@test "a head goes on the layer that --features names" {
  mas-train -q --arch net.pt --features pool --data data.h5,split=0.8 --epochs 1 -o m.h5
  mas-export m.h5 | grep -q "^heads/task1/weight *4x64 "
  mas-train -q --arch traced.pt --features stem.0 --data data.h5,split=0.8 --epochs 1 -o m.h5
  mas-export m.h5 | grep -q "^heads/task1/weight *4x256 "
  fails 2 "mas-train: --features: is for scenario task, with its heads;*" \
    mas-train --arch net.pt --features pool --scenario class --data data.h5 -o x.h5
  fails 1 "mas-train: --features: net.pt has no layer pol; did you mean pool? (it has stem, stem.0, stem.1, stem.2, pool, drop, fc)" \
    mas-train --arch net.pt --features pol --data data.h5 -o x.h5
  fails 2 "mas-train: --features: is for a TorchScript module: --arch FILE.pt" mas-train --arch lenet --features fc --data data.h5 -o x.h5
  [ ! -e x.h5 ]
}

@test "of several values that a module returns, --return names the one to take" {
  for choice in nested-0 nested-1.0 dictionary-logits dictionary-features named-aux; do
    silent mas-importance -q "${choice%-*}.pt" --return "${choice#*-}" --data unlabelled.h5 -o o.h5
    judge omega several.h5 "$choice" o.h5
  done
  silent mas-importance -q named.pt --return 1 --data unlabelled.h5,limit=50 -o part.h5
  silent mas-importance -q part.h5 --data unlabelled.h5,limit=70 -o part.h5 # the model remembers it
  fails 2 "mas-importance: --return: is for a TorchScript module; part.h5 is none, and a model keeps its own" \
    mas-importance part.h5 --return 1 --data unlabelled.h5 -o x.h5
  mas-train -q part.h5 --data data.h5,split=0.8 --epochs 1 -o t.h5
  mas-export t.h5 | grep -q "^heads/task1/weight *4x3 "
  mas-eval t.h5 | grep -q "^after task1 "
  mas-train -q --arch recurrent.pt --features lstm --return 0 --data data.h5,split=0.8 --epochs 1 -o t.h5
  mas-export t.h5 | grep -q "^heads/task1/weight *4x40 "
  [ ! -e x.h5 ]
}

@test "a module that returns several values comes back as it is, or with a head on one of them" {
  comes_back() {
    mas-train -q --arch "$@" --data data.h5,split=0.8 --epochs 1 -o t.h5
    mas-export t.h5 -o t.pt
    mas-importance -q t.pt --data unlabelled.h5 -o x.h5
  }
  comes_back nested.pt --return 1.1
  comes_back dictionary.pt --return features
  comes_back named.pt --return aux
  comes_back recurrent.pt --features lstm --return 0
  mas-train -q --arch untyped.pt --return 0 --data data.h5,split=0.8 --epochs 1 -o t.h5
  fails 1 "mas-export: t.h5: can't be written with a head, as its forward doesn't say *; annotate it in Python" mas-export t.h5 -o x.pt
  mas-train -q --arch dictionary.pt --return logits --scenario class --data data.h5,split=0.8 --epochs 1 -o t.h5
  mas-export t.h5 -o t.pt
  fails 1 "mas-importance: t.pt: its forward returns a dictionary of 2; --return logits or features chooses" \
    mas-importance t.pt --data unlabelled.h5 -o y.h5
}

@test "an error of --return says what there is" {
  importance() { fails 1 "mas-importance: $1" mas-importance "${@:2}" --data unlabelled.h5 -o x.h5; }
  importance "nested.pt: its forward returns a tuple of 2; --return 0 or 1 chooses" nested.pt
  importance "nested.pt: its forward returns a list of 2 under 1; --return 1.0 or 1.1 chooses" nested.pt --return 1
  importance "--return: nested.pt: its forward returns a tuple of 2, without -1; 0 or 1 chooses" nested.pt --return -1
  importance "--return: nested.pt: its forward returns a tensor under 0, with nothing to choose from" nested.pt --return 0.0
  importance "dictionary.pt: its forward returns a dictionary of 2; --return logits or features chooses" dictionary.pt
  importance "--return: dictionary.pt: its forward returns a dictionary of 2, without 0; logits or features chooses" dictionary.pt --return 0
  importance "untyped.pt: its forward returns a tuple of 2; --return 0 or 1 chooses" untyped.pt
  importance "--return: net.pt: its forward returns a tensor, with nothing to choose from" net.pt --return 0
  train() { fails "$1" "mas-train: $2" mas-train "${@:3}" --data data.h5 -o x.h5; }
  train 1 "named.pt: its forward returns a tuple of 2; --return logits or aux chooses" --arch named.pt
  train 1 "recurrent.pt: its layer lstm returns a tuple of 2; --return 0 or 1 chooses" --arch recurrent.pt --features lstm
  train 2 "--return: is for a TorchScript module: --arch FILE.pt" --arch lenet --return 0
  train 2 "--return: is for a new network: --arch FILE.pt; a model keeps its own" model.h5 --return 0
  [ ! -e x.h5 ]
}

@test "recurrent layers, which keep their weights in a list too, are measured, trained and written" {
  for batch in 1 50; do
    silent mas-importance -q recurrent.pt --data unlabelled.h5 --batch "$batch" -o o.h5
    judge omega several.h5 recurrent o.h5
  done
  silent mas-train -q o.h5 --data data.h5,split=0.8 --epochs 1 -o t.h5
  run -1 h5diff o.h5 t.h5 /weights/lstm.weight_hh_l0
  mas-export t.h5 -o t.pt
  /usr/bin/python3 - <<'P'
import h5py, torch
lstm = torch.jit.load("t.pt").network.lstm
assert all(a is b for a, b in zip(lstm._flat_weights, lstm.parameters()))
with h5py.File("t.h5") as f:
    assert (lstm.weight_hh_l0.detach().numpy() == f["weights/lstm.weight_hh_l0"][()]).all()
P
}

@test "frozen parameters, and those without a gradient, have the importance 0, and a line says so" {
  line="partly.pt: 3 of 6 parameters have no gradient (1 frozen, 2 unused) and omega 0: aux.bias, aux.weight, stem.weight"
  for options in "--batch 50" "--batch 1" "--estimator batch:7" "--method local" "--method ewc"; do
    # shellcheck disable=SC2086
    mas-importance partly.pt --data unlabelled.h5 $options --verbose -o o.h5 >report 2>err
    [ "$(cat err)" = "mas-importance: $line" ]
    grep -q "^stem.weight  *frozen  *requires_grad is False$" report
    grep -q "^aux.weight  *unused  *no gradient reaches it$" report
    grep -q "^fc.weight" report
  done
  for batch in 1 50; do
    mas-importance -q partly.pt --data unlabelled.h5 --batch "$batch" -o o.h5
    judge omega several.h5 partly o.h5
  done
  mas-train -q o.h5 --data data.h5,split=0.8 --epochs 1 -o t.h5
  mas-importance t.h5 -o u.h5 2>&1 >/dev/null | grep -qF "${line/partly.pt/t.h5}"
  mas-importance t.h5 --method l2 --verbose -o l2.h5 >report 2>err
  [ "$(cat err)" = "mas-importance: t.h5: 1 of 6 parameters have no gradient (1 frozen, 0 unused) and omega 0: stem.weight" ]
  grep -q "^stem.weight  *frozen  *requires_grad is False$" report
  grep -q "^stem.bias  *constant$" report
  grep -q "^omega 1 for all other parameters$" report
  fails 1 "mas-importance: still.pt: all its parameters are frozen (requires_grad=False), so there is nothing to measure; *" \
    mas-importance still.pt --data unlabelled.h5 -o x.h5
}

@test "training leaves frozen parameters alone, wherever the module goes" {
  same() { for weight in "${@:3}"; do h5diff "$1" "$2" "/weights/$weight" || return 1; done; }
  mas-importance -q partly.pt --data unlabelled.h5 -o o.h5
  for options in "--penalty-step gradient" "--penalty-step proximal --optimizer sgd --momentum 0.5"; do
    # shellcheck disable=SC2086
    mas-train -q o.h5 --data data.h5,split=0.8 --epochs 2 --weight-decay 0.1 $options --checkpoint ck.h5 -o t.h5
    same o.h5 t.h5 stem.weight aux.weight
    run -1 same o.h5 t.h5 stem.bias
    run -1 same o.h5 t.h5 fc.weight
  done
  mas-train -q --resume ck.h5 -o again.h5
  cmp t.h5 again.h5
  mas-export t.h5 -o t.pt
  judge frozen t.pt network.stem.weight
  mas-export o.h5 -o o.pt
  judge frozen o.pt stem.weight
  mas-train --arch t.pt --data data.h5,split=0.8 --epochs 1 -o u.h5 2>err >report
  [ "$(cat err)" = "mas-train: t.pt: 1 of 8 parameters are frozen (requires_grad=False) and stay as they are: network.stem.weight" ]
  h5diff t.h5 u.h5 /weights/stem.weight /weights/network.stem.weight
  # A head alone
  mas-train -q --arch still.pt --data data.h5,split=0.8 --epochs 1 -o a.h5
  mas-train -q a.h5 --data data.h5,split=0.8,classes=0-1 --epochs 1 -o b.h5 2>err
  [ ! -s err ]
  same a.h5 b.h5 stem.0.weight stem.1.weight fc.weight fc.bias
  mas-eval b.h5 | grep -q "^after task2 "
  fails 1 "mas-train: still.pt: all its parameters are frozen (requires_grad=False), so scenario class has nothing to train; *" \
    mas-train --arch still.pt --scenario class --data data.h5 -o x.h5
  [ ! -e x.h5 ]
}

@test "modules of colour images give what PyTorch computes, and train, however they look at memory" {
  for module in colours views; do
    for batch in 1 7; do
      silent mas-importance -q "$module.pt" --data colours.h5 --batch "$batch" -o o.h5
      judge omega several.h5 "$module" o.h5
    done
    mas-train -q o.h5 --data colours.h5 --epochs 2 --checkpoint ck.h5 -o t.h5
    mas-train -q --resume ck.h5 -o again.h5
    cmp t.h5 again.h5
    mas-export t.h5 -o t.pt
    mas-importance -q t.pt --data colours.h5 -o u.h5
    h5diff t.h5 u.h5 /weights/stem.0.weight /weights/network.stem.0.weight
  done
}

@test "in scenarios domain and class the module's own output is the head" {
  mas-train -q --arch net.pt --scenario class --data data.h5,split=0.8,classes=0-1 --epochs 1 -o a.h5
  mas-importance -q a.h5 | mas-train -q - --data data.h5,split=0.8,classes=2-3 --epochs 1 -o b.h5
  run -1 grep -q head <(mas-export b.h5)
  mas-eval b.h5 | grep -q "^after task2 "
  mas-train -q --arch net.pt --scenario domain --data data.h5,split=0.8 --epochs 1 -o a.h5
  mas-train -q a.h5 --data data.h5,split=0.8,seed=1 --epochs 1 -o b.h5
  mas-eval a.h5 b.h5 | grep -q "^FWT "  # the untrained network is the module as it came
  fails 1 "mas-train: net.pt: gives 4 outputs, but task task1 has 3 classes; scenario task has heads that fit" \
    mas-train --arch net.pt --scenario domain --data data.h5,classes=0-2 -o x.h5
}

@test "a module's batch norm learns its statistics, and equal runs give equal files" {
  mas-train -q --arch net.pt --data data.h5,split=0.8 --epochs 3 -o whole.h5
  mas-train -q --arch net.pt --data data.h5,split=0.8 --epochs 3 -o again.h5
  cmp whole.h5 again.h5
  mas-importance -q net.pt --data unlabelled.h5 -o before.h5
  run -1 h5diff before.h5 whole.h5 /buffers/stem.1.running_mean
  run -1 h5diff before.h5 whole.h5 /buffers/stem.1.num_batches_tracked
}

@test "a network goes back to PyTorch and computes the same there" {
  mas-train -q --arch net.pt --data data.h5,split=0.8 --task a --epochs 1 -o a.h5
  mas-train -q a.h5 --data data.h5,split=0.8,classes=1-3 --task b --epochs 1 -o b.h5
  silent mas-export b.h5 -o b.pt
  judge check b.h5 b b.pt
  mas-export b.h5 --task a --format torchscript | cat >a.pt
  judge check b.h5 a a.pt
  mas-export b.h5 --task a -o again.pt
  cmp a.pt again.pt
  mas-train -q --arch net.pt --features pool --data data.h5,split=0.8 --epochs 1 -o c.h5
  mas-export c.h5 -o c.pt
  judge check c.h5 task1 c.pt
  mas-importance -q net.pt --data unlabelled.h5 -o d.h5
  mas-export d.h5 -o d.pt
  judge check d.h5 none d.pt
  mas-train -q --arch net.pt --scenario class --data data.h5,split=0.8 --epochs 1 -o e.h5
  mas-export e.h5 -o e.pt
  judge check e.h5 task1 e.pt
  mas-importance -q b.pt --data unlabelled.h5 -o f.h5  # and comes in again
  fails 1 "mas-export: b.h5: has no task named z" mas-export b.h5 --task z -o x.pt
  fails 2 "mas-export: --what: doesn't go with torchscript, a whole network" mas-export b.h5 --what weights -o x.pt
  fails 2 "mas-export: --task: is for --format torchscript" mas-export b.h5 --task a -o x.npz
}

@test "a network of layers becomes a TorchScript module" {
  mas-train -q --arch mlp:20,10 --data data.h5,split=0.8 --task a --epochs 1 -o a.h5
  mas-export a.h5 -o a.pt
  judge check a.h5 a a.pt
  echo '{"layers": [{"type": "conv2d", "name": "the stem", "out": 3, "kernel": 3}, {"type": "batch_norm2d"}, {"type": "relu"},
    {"type": "max_pool2d", "kernel": 2}, {"type": "flatten"}, {"type": "dropout"}]}' >net.json
  mas-train -q --arch net.json --data data.h5,split=0.8 --scenario class --epochs 1 -o c.h5
  mas-export c.h5 -o c.pt
  /usr/bin/python3 - <<'P'
import torch
net, x = torch.jit.load("c.pt"), torch.rand(9, 1, 8, 8)
assert {"the stem.weight", "layers.1.running_mean", "head.bias"} < set(net.state_dict())
assert torch.equal(net(x), net(x)) and net(x).shape == (9, 4)
net.train()
assert not torch.equal(net(x), net(x))
P
}

@test "what is no module of one tensor to one is told with what to do in Python" {
  refused() { fails 1 "mas-importance: $1" mas-importance "$2" --data unlabelled.h5 -o x.h5; }
  refused "weights.pt: a PyTorch file of weights without their network (torch.save of a state dict); *" weights.pt
  refused "object.pt: a PyTorch file that only Python can read (torch.save of torch.nn.modules.linear.Linear); *torch.jit.script(net).save*" object.pt
  refused "two-inputs.pt: its forward needs 2 inputs (x, mask), expected one; wrap it in a module *" two-inputs.pt
  refused "numbers.pt: its forward returns a list, expected a tensor; wrap it *" numbers.pt
  refused "half.pt: weight is Half, expected float32 or float64; save the module after net.float()" half.pt
  refused "frozen.pt: its parameters are constants, as torch.jit.freeze makes them; save the module unfrozen" frozen.pt
  refused "unlabelled.h5: its samples of 1 x 8 x 8 values don't go through wide.pt: mat1 and mat2 shapes cannot be multiplied (2x64 and 99x4)" wide.pt
  fails 1 "mas-train: double.pt: * is Double, and training is in float32; save the module after net.float()" \
    mas-train --arch double.pt --data data.h5 -o x.h5
  fails 1 "mas-eval: net.pt: a TorchScript module, not a model; *mas-train --arch*" mas-eval net.pt
  refused "noisy.pt: its forward draws random numbers in eval mode; trace it after net.eval(), or do that only if self.training" noisy.pt
  refused "train-traced.pt: its forward * in eval mode; trace it after net.eval(), *" train-traced.pt
  for module in short-storage wide-view; do
    refused "*$module.pt: damaged: a tensor reaches beyond the bytes that are there" "$MAS_SOURCE/tests/fuzz/corpus-modules/$module.pt"
  done
  refused "endless.pt: damaged: reading it never ends" endless.pt
  cp net.pt own.pt
  fails 1 "mas-importance: own.pt: is there and isn't a model file*" mas-importance own.pt --data unlabelled.h5 -o own.pt
  size=$(stat -Lc %s net.pt)
  for at in 100 1000 2000 $((size / 2)) $((size - 10)); do
    head -c "$at" net.pt >cut.pt
    refused "cut.pt: *" cut.pt
  done
  [ ! -e x.h5 ]
}
