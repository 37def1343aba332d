#!/usr/bin/env bats

load helper
setup_file() { load helper; make_models; }

@test "each epoch gives a line, and the task's test accuracy follows" {
  silent mas-train --arch mlp:20 --data "$small,classes=0-4" --task first --epochs 2 -o m.h5 >report
  [ "$(grep -c '^epoch [12]/2  loss [0-9.]*  accuracy [0-9.]* %  [0-9.]* s$' report)" -eq 2 ]
  grep -q '^first: [0-9.]* % of the test samples$' report
  silent mas-train -q --arch mlp:20 --data "$small,classes=0-4" --task first --epochs 2 -o m2.h5 >report
  [ ! -s report ]
  cmp m.h5 m2.h5
}

@test "with importance the penalty is shown; lambda 0 trains without" {
  mas-train "$(models)/important.h5" --data "$small,classes=5-9" --epochs 1 -o m.h5 | grep -q "penalty 0\.[0-9]*[1-9]"
  mas-train "$(models)/important.h5" --data "$small,classes=5-9" --epochs 1 --lambda 0 -o m.h5 | grep -q "^epoch 1/1  loss [0-9.]*  accuracy"
}

@test "the scenarios differ in their heads" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --scenario class --epochs 1 -o a.h5
  mas-train -q a.h5 --data "$small,classes=2-4" --epochs 1 -o b.h5
  mas-export b.h5 | grep -q "head.weight *5x8"
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --scenario domain --epochs 1 -o a.h5
  mas-train -q a.h5 --data "$small,classes=2-3" --epochs 1 -o b.h5
  mas-export b.h5 | grep -q "head.weight *2x8"
  fails 1 "mas-train: a.h5: scenario domain needs the same outputs for each task: task1 has 2 classes, task2 has 3" \
    mas-train a.h5 --data "$small,classes=2-4" -o c.h5
  fails 1 "mas-train: a.h5: its tasks are of scenario domain, not class" \
    mas-train a.h5 --data "$small,classes=2-3" --scenario class -o c.h5
  [ ! -e c.h5 ]
}

@test "an interrupted training goes on bit for bit" {
  resumes_exactly mas-train "$(models)/important.h5" --data "$small,classes=5-9" --seed 4
}

@test "a checkpoint isn't a model to train further, and a model isn't a checkpoint" {
  mas-train -q --arch mlp:8 --data "$small" --epochs 1 --checkpoint ck.h5 -o m.h5
  fails 1 "mas-train: ck.h5: is a checkpoint; go on from it with --resume" mas-train ck.h5 --data "$small" -o n.h5
  fails 1 "mas-train: m.h5: isn't a checkpoint of mas-train" mas-train --resume m.h5 -o n.h5
  fails 1 "mas-importance: ck.h5: is a checkpoint; end its training with mas-train --resume first" mas-importance ck.h5 -o n.h5
  mas-eval -q ck.h5 2>err
  [ "$(cat err)" = "mas-eval: ck.h5: is a checkpoint, not a trained model" ]
}

@test "divergence is said before the first step, and nothing is written" {
  fails 1 "mas-train: --lambda: training would diverge: 2\*lambda\*lr\*omega = * in * is above 2; use --penalty-step proximal, or --lambda below *" \
    mas-train "$(models)/important.h5" --data "$small,classes=5-9" --optimizer sgd --lambda 1e6 -o m.h5
  [ ! -e m.h5 ]
  silent mas-train -q "$(models)/important.h5" --data "$small,classes=5-9" --optimizer sgd --lambda 1e6 --penalty-step proximal --epochs 1 -o m.h5
}

@test "a training that stops being finite is an error without a file" {
  fails 1 "mas-train: mlp:20: * try a smaller --lr *" \
    mas-train -q --arch mlp:20 --data "$small" --optimizer sgd --lr 1e9 --epochs 1 -o m.h5
  [ ! -e m.h5 ]
}

@test "validation and patience, schedule, momentum and decay are accepted" {
  silent mas-train --arch lenet --data "$small" --epochs 3 --validation 0.2 --patience 2 --optimizer sgd --momentum 0.9 \
    --weight-decay 1e-4 --schedule step:1:0.5 -o m.h5 >report
  grep -q "validation [0-9.]* %" report
}

@test "a network from JSON" {
  cat >net.json <<'J'
{"layers": [{"type": "conv2d", "name": "stem", "out": 4, "kernel": 3, "stride": 2}, {"type": "batch_norm2d", "name": "norm"},
            {"type": "relu"}, {"type": "flatten"}, {"type": "dropout", "p": 0.2}, {"type": "linear", "name": "code", "out": 12}]}
J
  silent mas-train -q --arch net.json --data "$small" --epochs 1 -o m.h5
  mas-export m.h5 | grep -q "stem.weight *4x1x3x3"
  echo '{"layers": [{"type": "relu"}, {"type": "lstm"}]}' >bad.json
  fails 1 'mas-train: bad.json: layer 2: unknown type "lstm" (known: *' mas-train --arch bad.json --data "$small" -o n.h5
  echo '{"layers": [' >bad.json
  fails 1 "mas-train: bad.json: not valid JSON: line 2, column 1: *" mas-train --arch bad.json --data "$small" -o n.h5
}

@test "input that can't be used is refused before any work" {
  fails 2 "mas-train: MODEL: give one of: a model file, --arch for a new network, --resume for a checkpoint" mas-train --data "$small" -o m.h5
  fails 2 "mas-train: --data: is required, e.g. --data glyphs,classes=0-4" mas-train --arch mlp:8 -o m.h5
  fails 1 "mas-train: $(models)/first.h5: has learned a task named first already; choose another name with --task" \
    mas-train "$(models)/first.h5" --data "$small,classes=5-9" --task first -o m.h5
  fails 1 "mas-train: $small,size=20x20: samples of 1 x 20 x 20 values, but $(models)/first.h5 takes 1 x 28 x 28" \
    mas-train "$(models)/first.h5" --data "$small,size=20x20" -o m.h5
  fails 2 "mas-train: --patience: needs samples to judge by; add --validation 0.1, say" \
    mas-train --arch mlp:8 --data "$small" --patience 3 -o m.h5
  fails 2 "mas-train: --arch: unknown architecture mpl:8 *" mas-train --arch mpl:8 --data "$small" -o m.h5
  fails 2 "mas-train: --scenario: must be task, domain, class or facts, got tsk" mas-train --arch mlp:8 --data "$small" --scenario tsk -o m.h5
  fails 2 "mas-train: --optimizer: must be sgd or adam, got adma" mas-train --arch mlp:8 --data "$small" --optimizer adma -o m.h5
  [ ! -e m.h5 ]
}

@test "a network whose tasks nothing protects says so" {
  mas-train -q "$(models)/first.h5" --data "$small,classes=5-9" --epochs 1 -o n.h5 2>err
  [ ! -s err ]
  mas-train "$(models)/first.h5" --data "$small,classes=5-9" --epochs 1 -o n.h5 2>err >/dev/null
  [ "$(cat err)" = "mas-train: $(models)/first.h5: task first has no importance, so nothing holds it still; see mas-importance" ]
  mas-train "$(models)/first.h5" --data "$small,classes=5-9" --lambda 0 --epochs 1 -o n.h5 2>err >/dev/null
  [ ! -s err ]
  mas-train "$(models)/important.h5" --data "$small,classes=5-9" --epochs 1 -o n.h5 2>err >/dev/null
  [ ! -s err ]
  mas-train "$(models)/both.h5" --data "$small,classes=0-4" --epochs 1 -o n.h5 2>err >/dev/null
  [[ $(cat err) == *"task second has no importance"* ]]
  fails 2 "mas-train: --lambda: weighs importance, and a new network has none; leave it out" \
    mas-train --arch mlp:8 --data "$small" --lambda 5 -o x.h5
  fails 1 "mas-train: $(models)/first.h5: has no importance, so --lambda has nothing to weigh*" \
    mas-train "$(models)/first.h5" --data "$small,classes=5-9" --lambda 5 -o x.h5
}

@test "options of what isn't there are told, not ignored" {
  next=("$(models)/important.h5" --data "$small,classes=5-9" -o x.h5)
  fails 2 "mas-train: --momentum: is for --optimizer sgd" mas-train "${next[@]}" --momentum 0.9
  fails 2 "mas-train: --penalty-step: is for a penalty, and a new network has none; leave it out" \
    mas-train --arch mlp:8 --data "$small" --penalty-step proximal -o x.h5
  fails 2 "mas-train: --penalty-step: is for a penalty, and --lambda 0 leaves none" \
    mas-train "${next[@]}" --lambda 0 --penalty-step gradient
  fails 2 "mas-train: --penalty-step: is for a penalty, and with --distill there is none unless --lambda is given" \
    mas-train "${next[@]}" --distill lwf --penalty-step proximal
  fails 1 "mas-train: $(models)/first.h5: has no importance, so --penalty-step has no penalty; compute it with mas-importance first" \
    mas-train "$(models)/first.h5" --data "$small,classes=5-9" --penalty-step proximal -o x.h5
  [ ! -e x.h5 ]
}

@test "slips in a command line are told from what was meant" {
  fails 1 "mas-train: $small,classes=0: has one class, 0, and nothing to tell it from*quote 'classes=0;1'*" \
    mas-train --arch mlp:8 --data "$small,classes=0" -o x.h5
  fails 2 "mas-train: data spec '$small,classes=0,1': classes are listed as 0-4, or with ; between them and quoted: 'classes=0;1'" \
    mas-train --arch mlp:8 --data "$small,classes=0,1" -o x.h5
  fails 2 "mas-train: MODEL: give one of: a model file (classes=0-4), --arch *" mas-train --arch mlp:8 --data glyphs classes=0-4 -o x.h5
  fails 1 "mas-train: $small,labels=none: has no labels to learn from; add them, or name a file of them with labels=" \
    mas-train --arch mlp:8 --data "$small,labels=none" -o x.h5
  fails 2 "mas-train: --task: has control characters: a?b" mas-train --arch mlp:8 --data "$small" --task $'a\nb' -o x.h5
  fails 1 "mas-train: minst: not found; did you mean mnist?" mas-train --arch mlp:8 --data minst -o x.h5
  printf '{"layers": [\n{"type": "relu",}]}' >net.json
  fails 1 "mas-train: net.json: not valid JSON: line 2, column *" mas-train --arch net.json --data "$small" -o x.h5
}

@test "augmentation, frozen layers, factors and a warm-up go through a checkpoint bit for bit" {
  resumes_exactly mas-train "$(models)/important.h5" --data "$small,classes=5-9" --seed 4 --augment crop:2,flip \
    --freeze fc1.bias --lr-factor head:5 --warm-up 3
  cmp <(mas-export whole.h5 --format npz --what weights | python3 -c 'import sys, zipfile, io
print(zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())).read("fc1.bias.npy")[-80:])') \
    <(mas-export "$(models)/important.h5" --format npz --what weights | python3 -c 'import sys, zipfile, io
print(zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())).read("fc1.bias.npy")[-80:])')
}

@test "distillation of augmented images goes through a checkpoint bit for bit" {
  resumes_exactly mas-train "$(models)/first.h5" --data "$small,classes=5-9" --seed 4 --augment crop:2,flip --distill lwf
}

@test "augmentation changes what is learned, and nothing that is measured" {
  train=(mas-train -q --arch mlp:20 --data "$small,classes=0-4" --epochs 1)
  silent "${train[@]}" -o plain.h5
  silent "${train[@]}" --augment crop:3,flip -o changed.h5
  run ! cmp -s <(mas-export plain.h5 --format npz) <(mas-export changed.h5 --format npz)
  silent "${train[@]}" --augment crop:3,flip -o again.h5
  cmp changed.h5 again.h5
  silent "${train[@]}" --augment resized-crop:0.5 --data "$small,classes=5-9" -o joint.h5
  # What is held out, and the test part, are seen as they are: weights that hardly move answer them as before.
  still=(mas-train "$(models)/first.h5" --data "$small,classes=0-4" --task again --lambda 0 --epochs 1 --lr 1e-12 --validation 0.5)
  silent "${still[@]}" -o a.h5 >plain
  silent "${still[@]}" -o b.h5 --augment crop:9,flip >changed
  cmp <(sed 's/.*\(validation [0-9.]*\).*/\1/' plain) <(sed 's/.*\(validation [0-9.]*\).*/\1/' changed)
  run ! cmp -s <(grep -o ' accuracy [0-9.]*' plain) <(grep -o ' accuracy [0-9.]*' changed)
}

@test "augmentations and layers that can't be are said before any work" {
  train=(mas-train --arch mlp:20 --data "$small" -o m.h5)
  fails 2 "mas-train: --augment: must be crop, crop:PIXELS, *; got flop" "${train[@]}" --augment flop
  fails 1 "mas-train: --augment: crop has one place only for a window of 28 x 28 in images of 28 x 28; *" "${train[@]}" --augment crop
  printf '1,2,0\n3,4,1\n' >rows.csv
  fails 1 "mas-train: --augment: for images, not for rows of 2 values; size=HxW makes *" \
    mas-train --arch mlp:2 --data rows.csv --augment flip -o m.h5
  fails 1 "mas-train: mlp:20: --freeze fc2: no such layer that could learn; did you mean fc1? There are fc1, head" "${train[@]}" --freeze fc2
  fails 1 "mas-train: mlp:20: --freeze leaves nothing that could learn" "${train[@]}" --freeze fc1 --freeze head
  fails 2 "mas-train: --lr-factor: must be LAYER:FACTOR such as head:10, *" "${train[@]}" --lr-factor head
  fails 2 "mas-train: --warm-up: must leave an epoch of --epochs *" "${train[@]}" --warm-up 4
  [ ! -e m.h5 ]
}
