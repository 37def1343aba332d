#!/usr/bin/env bats

load helper
setup_file() { load helper; make_models; }

@test "one model tells its story: a row after each task, the drop and the measures with their formulas" {
  silent mas-eval "$(models)/both.h5" >report
  grep -q "^after first " report
  grep -q "^after second " report
  grep -q "^drop " report
  grep -q "^ACC .* mean over tasks j of R\[T\]\[j\]$" report
  grep -q "^BWT .*Lopez-Paz" report
  grep -q "^forgetting .*Chaudhry" report
}

@test "several models give the same matrix as the recorded rows" {
  mas-eval "$(models)/both.h5" --csv | tail -n +2 | cut -d, -f2- >recorded
  mas-eval "$(models)/first.h5" "$(models)/both.h5" --csv | tail -n +2 | cut -d, -f2- >measured
  cmp recorded measured
  mas-eval - --csv <"$(models)/both.h5" | tail -n +2 | cut -d, -f2- | cmp - recorded
}

@test "the JSON object has the documented schema" {
  mas-eval "$(models)/first.h5" "$(models)/both.h5" --json >object
  /usr/bin/python3 - <<'P'
import json
o = json.load(open("object"))
assert o["schema"] == "mas-eval/1"
assert o["measure"] == "accuracy"
assert set(o) == {"schema", "measure", "tasks", "models", "learned", "accuracy", "acc", "bwt", "fwt", "forgetting", "drop", "mean_drop", "joint", "intransigence", "mean_intransigence", "notes", "definitions"}, set(o)
assert o["tasks"] == ["first", "second"] and len(o["accuracy"]) == 2
r = o["accuracy"]
assert r[0][1] is None and o["fwt"] is None
assert abs(o["acc"] - (r[1][0] + r[1][1]) / 2) < 1e-12
assert abs(o["bwt"] - (r[1][0] - r[0][0])) < 1e-12
assert abs(o["drop"][0] + o["bwt"]) < 1e-12 and o["mean_drop"] == -o["bwt"]
assert o["notes"] == [] and o["joint"] == o["intransigence"] == []
P
}

@test "forward transfer is told for scenario domain" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --scenario domain --epochs 1 |
    mas-train -q - --data "$small,classes=2-3" --epochs 1 -o b.h5
  mas-eval b.h5 | grep -q "^FWT "
  # An untrained network is one that is trained with steps too small to matter.
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --scenario domain --epochs 1 --lr 1e-12 |
    mas-train -q - --data "$small,classes=2-3" --epochs 1 --lr 1e-12 -o untrained.h5
  mas-eval b.h5 --json >trained.json
  mas-eval untrained.h5 --json >untrained.json
  /usr/bin/python3 - <<'P'
import json
trained, untrained = (json.load(open(name + ".json")) for name in ("trained", "untrained"))
assert untrained["fwt"] == 0
assert abs(trained["fwt"] - (trained["accuracy"][0][1] - untrained["accuracy"][1][1])) < 1e-12
P
}

@test "what can't be measured again is quoted from the file, and a line says so" {
  mas-data -q "$small" -o data/
  mas-train -q --arch mlp:8 --data data,classes=0-1 --epochs 1 --task early -o a.h5
  mas-eval a.h5 --csv >before
  rm -r data
  mas-eval a.h5 --csv >after 2>err
  cmp before after
  [[ $(cat err) == "mas-eval: early: as recorded, it can't be measured again: data: not found"* ]]
}

@test "min-accuracy decides the exit status" {
  run -0 mas-eval -q "$(models)/both.h5" --min-accuracy 0.01
  run -3 mas-eval -q "$(models)/both.h5" --min-accuracy 1
  [ -z "$output" ]
  fails 2 "mas-eval: --min-accuracy: *" mas-eval "$(models)/both.h5" --min-accuracy 95
}

@test "record keeps the evaluation in the file" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --epochs 1 --no-results -o a.h5
  silent mas-eval -q a.h5 --record a.h5
  h5dump -d /results a.h5 | grep -q accuracy
  mas-eval a.h5 --record /dev/stdout >b.h5 2>report
  cmp a.h5 b.h5
  grep -q "^accuracy" report
}

@test "other data can be measured, unlabelled data can't" {
  mas-eval "$(models)/first.h5" --data "$small,split=test,classes=0-4" --csv | grep -q "^$(models)/first.h5,0\.[0-9]*$"
  mas-data -q "$small" -o all.h5
  /usr/bin/python3 -c '
import h5py
with h5py.File("all.h5") as a, h5py.File("u.h5", "w") as b: b["images"] = a["images"][:]' || skip "needs python3-h5py"
  fails 1 "mas-eval: u.h5: has no labels, so accuracy can't be measured" mas-eval "$(models)/first.h5" --data u.h5
  fails 1 "mas-eval: *label*" mas-eval "$(models)/first.h5" --data all.h5
}

@test "models of different sequences aren't compared" {
  mas-train -q --arch mlp:8 --data "$small,classes=0-1" --task other --epochs 1 -o o.h5
  fails 1 "mas-eval: o.h5: learned other where $(models)/first.h5 learned first: not the same sequence of tasks" \
    mas-eval "$(models)/first.h5" o.h5
  mas-train -q --arch mlp:8 --data "$small,classes=5-9" --task first --epochs 1 -o other.h5
  fails 1 "mas-eval: $(models)/both.h5: its task first has other classes than that of other.h5: not the same task" \
    mas-eval other.h5 "$(models)/both.h5"
}

@test "models out of order have a matrix, and a line says why no measures" {
  mas-eval "$(models)/both.h5" "$(models)/first.h5" >report 2>err
  run -1 grep "^ACC" report
  grep -q "first.h5 has learned 1 of 2 tasks; the measures need models in the order of learning" err
}

@test "--data is the test part of a generator unless a part is named" {
  want=$(mas-eval "$(models)/first.h5" --data "$small,classes=0-4,split=test" --csv)
  [ "$(mas-eval "$(models)/first.h5" --data "$small,classes=0-4" --csv)" = "$want" ]
  fails 1 "mas-eval: $small,classes=5-9: label 5 isn't among the classes of task first" \
    mas-eval "$(models)/first.h5" --data "$small,classes=5-9"
  fails 2 "mas-eval: --data*" mas-eval "$(models)/first.h5" --data "$small" --record x.h5
}

@test "runs with other seeds are averaged, other settings are another row" {
  for seed in 1 2 3; do mas-train -q --seed "$seed" --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o "$seed.h5"; done
  mas-train -q --seed 1 --arch mlp:8 --data "$small,classes=0-1" --epochs 2 -o other.h5
  mas-eval --runs 1.h5 2.h5 3.h5 other.h5 >report
  grep -q "^1.h5 \.\.\. *3 " report
  grep -q "^other.h5 *1 .* - *[-+]\?[0-9.]*$" report
  grep -q "^accuracy at the end, % *task1$" report
  [ "$(grep -c "^1.h5 \.\.\. .* ± " report)" -eq 2 ]
  mas-eval --runs 1.h5 2.h5 3.h5 other.h5 --json >object
  for seed in 1 2 3; do mas-eval "$seed.h5" --json; done >single
  /usr/bin/python3 - <<'P'
import json, statistics
o = json.load(open("object"))
assert o["schema"] == "mas-eval-runs/1" and len(o["groups"]) == 2
acc = [json.loads(t + "}")["acc"] for t in open("single").read().split("\n}\n") if t.strip()]
first = o["groups"][0]
assert first["measure"] == "accuracy" and first["seeds"] == [1, 2, 3] and first["models"] == ["1.h5", "2.h5", "3.h5"]
assert abs(first["acc"]["mean"] - statistics.mean(acc)) < 1e-12
assert abs(first["acc"]["deviation"] - statistics.stdev(acc)) < 1e-12
half = 4.3027 * statistics.stdev(acc) / 3 ** 0.5
assert abs(first["acc"]["high"] - first["acc"]["mean"] - half) < 1e-6
assert o["groups"][1]["acc"]["deviation"] is None
P
}

@test "a copy of a run is no other run, and a checkpoint is none" {
  mas-train -q --seed 1 --arch mlp:8 --data "$small,classes=0-1" --epochs 1 --checkpoint ck.h5 -o a.h5
  cp a.h5 copy.h5
  fails 1 "mas-eval: a.h5: has the same seeds as a.h5, so it is no other run; give it once" mas-eval --runs a.h5 a.h5
  fails 1 "mas-eval: copy.h5: has the same seeds as a.h5, so it is no other run; give it once" mas-eval --runs a.h5 copy.h5 --json
  fails 1 "mas-eval: ck.h5: is a checkpoint, and no run ends with one; --resume it first" mas-eval --runs a.h5 ck.h5
}

@test "runs of importance of other samples are another group" {
  for seed in 1 2; do
    mas-train -q --seed "$seed" --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o "$seed.h5"
    mas-importance -q "$seed.h5" -o "all$seed.h5"
    mas-importance -q "$seed.h5" --limit 1 -o "one$seed.h5"
  done
  mas-eval --runs all1.h5 one1.h5 all2.h5 one2.h5 >report
  grep -q "^all1.h5 \.\.\. *2 " report
  grep -q "^one1.h5 \.\.\. *2 " report
}

@test "a measure that a run lacks is null in its place" {
  for seed in 1 2; do
    first=(mas-train -q --seed "$seed" --arch mlp:8 --data "$small,classes=0-1" --epochs 1)
    [ $seed = 2 ] || first+=(--no-results)
    "${first[@]}" | mas-train -q - --seed "$seed" --data "$small,classes=2-3" --epochs 1 -o "$seed.h5"
  done
  mas-eval --runs 1.h5 2.h5 | grep -q "^1.h5 .* [-+][0-9.]* (1 of 2) "
  mas-eval --runs 1.h5 2.h5 --json >object
  mas-eval 2.h5 --json >single
  /usr/bin/python3 - <<'P'
import json
group, = json.load(open("object"))["groups"]
assert group["acc"]["n"] == 2 and None not in group["acc"]["values"]
assert group["bwt"]["n"] == 1 and group["bwt"]["values"] == [None, json.load(open("single"))["bwt"]]
P
}

@test "intransigence is told against a model of all tasks at once" {
  mas-train -q --arch mlp:20 --data "$small,classes=0-4" --task first --data "$small,classes=5-9" --task second \
    --epochs 2 --checkpoint ck.h5 -o joint.h5
  mas-eval "$(models)/both.h5" --joint joint.h5 >report
  grep -q "^joint " report
  grep -q "^intransigence " report
  mas-eval "$(models)/both.h5" --joint joint.h5 --json >object
  mas-eval joint.h5 --json >alone
  /usr/bin/python3 - <<'P'
import json
o, alone = (json.load(open(name)) for name in ("object", "alone"))
assert o["joint"] == alone["accuracy"][0]
want = [o["joint"][j] - o["accuracy"][j][j] for j in range(2)]
assert all(abs(a - b) < 1e-12 for a, b in zip(o["intransigence"], want)) and any(want)
assert abs(o["mean_intransigence"] - sum(want) / 2) < 1e-12
P
  mas-eval "$(models)/both.h5" --joint ck.h5 2>err >report
  [ "$(cat err)" = "mas-eval: ck.h5: is a checkpoint, not a trained model" ]
  fails 1 "mas-eval: $(models)/both.h5: didn't learn first together with the other tasks, so it isn't the joint model; *" \
    mas-eval "$(models)/both.h5" --joint "$(models)/both.h5"
  fails 1 "*has no task second, so it isn't the joint model" mas-eval joint.h5 --joint "$(models)/first.h5"
}

@test "scenario class has no intransigence" {
  both=(--data "$small,classes=0-1" --data "$small,classes=2-3")
  mas-train -q --arch mlp:8 --scenario class "${both[@]}" --epochs 1 -o joint.h5
  fails 1 "mas-eval: joint.h5: answers among the classes of all tasks in scenario class, *so intransigence can't be told" \
    mas-eval joint.h5 --joint joint.h5
}

@test "groups of runs are compared seed by seed" {
  for seed in 1 2; do
    mas-train -q --seed "$seed" --arch mlp:8 --data "$small,classes=0-1" --epochs 1 -o "a$seed.h5"
    mas-train -q --seed "$seed" --arch mlp:8 --data "$small,classes=0-1" --epochs 2 -o "b$seed.h5"
  done
  mas-eval --runs a1.h5 a2.h5 b1.h5 b2.h5 | grep -q "^b1.h5 .* ([-+]\?[0-9.]* to [-+]\?[0-9.]*)$"
  mas-eval --runs a1.h5 a2.h5 b2.h5 b1.h5 --json >object
  /usr/bin/python3 - <<'P'
import json
a, b = json.load(open("object"))["groups"]
assert b["seeds"] == [2, 1] and "difference" not in a
want = [b["acc"]["values"][0] - a["acc"]["values"][1], b["acc"]["values"][1] - a["acc"]["values"][0]]
assert b["difference"]["acc"]["values"] == want
P
}

@test "importance of several models is compared by rank" {
  for n in 4 40; do mas-importance -q "$(models)/first.h5" --estimator batch:$n -o "$n.h5"; done
  mas-eval --importance "$(models)/important.h5" 4.h5 40.h5 >report
  [ "$(grep -c "^fc1.weight " report)" -eq 2 ]
  [ "$(grep -c "^all .* 0[.][0-9]*$" report)" -eq 2 ]
  mas-eval --importance "$(models)/important.h5" 4.h5 40.h5 --json >object
  mas-eval --importance "$(models)/important.h5" 4.h5 40.h5 --csv >table
  mas-eval --importance 4.h5 4.h5 --csv | grep -q "^4.h5,all,[0-9]*,.*,1.000000$"
  for name in important 4 40; do
    mas-export "$([ $name = important ] && models || echo .)/$name.h5" --format npz --what importance -o "$name.npz"
  done
  /usr/bin/python3 -c 'import numpy' || skip "needs python3-numpy"
  /usr/bin/python3 - <<'P'
import csv, json
import numpy as np
def ranks(v):
    _, group, count = np.unique(v, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[group]
def spearman(a, b):
    keep = (a != 0) | (b != 0)
    return np.corrcoef(ranks(a[keep]), ranks(b[keep]))[0, 1]
o = json.load(open("object"))
assert o["schema"] == "mas-eval-importance/1" and [x["model"] for x in o["others"]] == ["4.h5", "40.h5"]
lines = {(row["model"], row["parameter"]): row for row in csv.DictReader(open("table"))}
omega = np.load("important.npz")
for other in o["others"]:
    theirs = np.load(other["model"].replace("h5", "npz"))
    pairs = {name: (omega[name].ravel(), theirs[name].ravel()) for name in omega.files}
    rows = dict(other["parameters"], all=other["all"])
    pairs["all"] = tuple(np.concatenate(x) for x in zip(*pairs.values()))
    assert set(rows) == set(pairs)
    for name, (a, b) in pairs.items():
        assert abs(rows[name]["rank_correlation"] - spearman(a, b)) < 1e-9, name
        assert abs(rows[name]["mean"] - a.mean(dtype=float)) < 1e-9 * a.mean()
        assert abs(float(lines[other["model"], name]["rank_correlation"]) - spearman(a, b)) < 1e-6
    assert 0.3 < rows["all"]["rank_correlation"] < 1
P
}

@test "importance that can't be compared" {
  fails 2 "mas-eval: --importance: needs two models or more, *" mas-eval --importance "$(models)/important.h5"
  fails 1 "mas-eval: $(models)/first.h5: has no importance to compare; compute it with mas-importance" \
    mas-eval --importance "$(models)/important.h5" "$(models)/first.h5"
  mas-train -q --arch mlp:8 --data "$small" --epochs 1 | mas-importance -q - -o other.h5
  fails 1 "mas-eval: other.h5: has no importance of fc1.bias with shape 20, as $(models)/important.h5 has; give models of one architecture" \
    mas-eval --importance "$(models)/important.h5" other.h5
  fails 2 "mas-eval: --runs excludes --importance*" mas-eval --importance --runs "$(models)/important.h5" other.h5
}
