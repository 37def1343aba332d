#!/usr/bin/env bats

load helper
setup_file() { load helper; make_models; }

# same A B: the importance of two models agrees within 1e-6 of each tensor's largest value.
same() {
  mas-export "$1" --format csv --what importance -o same-a.csv
  mas-export "$2" --format csv --what importance -o same-b.csv
  paste -d, same-a.csv same-b.csv | awk -F, '
    NR > 1 { d = $3 - $6; if (d < 0) d = -d; if (d > worst[$1]) worst[$1] = d; if ($3 > most[$1]) most[$1] = $3; n++ }
    END { for (k in worst) if (worst[k] > 1e-6 * most[k]) { print k, worst[k], most[k]; exit 1 }; exit n < 100 }'
}

@test "the result doesn't depend on the batch or the number of threads" {
  for option in "--batch 1" "--batch 7" "--batch 400" "--threads 1" "--threads 2"; do
    # shellcheck disable=SC2086
    mas-importance -q "$(models)/first.h5" $option -o b.h5
    same "$(models)/important.h5" b.h5
  done
}

@test "samples can be fed later: two halves equal the whole" {
  mas-importance -q "$(models)/first.h5" --shard 1/2 -o half.h5
  mas-importance -q half.h5 --shard 2/2 -o whole.h5
  same "$(models)/important.h5" whole.h5
}

@test "shards merge to the whole, in any order" {
  for i in 1 2 3; do mas-importance -q "$(models)/first.h5" --shard "$i/3" -o "s$i.h5"; done
  mas-importance -q "$(models)/first.h5" --merge s3.h5 s1.h5 s2.h5 -o merged.h5
  same "$(models)/important.h5" merged.h5
  fails 1 "mas-importance: $(models)/both.h5: * differs from $(models)/first.h5: not the same model" \
    mas-importance "$(models)/first.h5" --merge "$(models)/both.h5" -o x.h5
  mas-train -q --arch mlp:8,8 --data "$small,classes=0-4" --epochs 1 --no-results -o other.h5
  fails 1 "mas-importance: $(models)/important.h5: fc1.bias differs from other.h5: not the same model" \
    mas-importance other.h5 --merge "$(models)/important.h5" -o x.h5
  cp "$(models)/first.h5" same.h5
  fails 1 "mas-importance: ./same.h5: has no importance of the running task to merge" \
    mas-importance "$(models)/first.h5" --merge ./same.h5 -o x.h5
  fails 2 "mas-importance: --merge: s1.h5 is given twice, and would count twice" \
    mas-importance "$(models)/first.h5" --merge s1.h5 s2.h5 s1.h5 -o x.h5
  cp s1.h5 copy.h5
  fails 1 "mas-importance: copy.h5: has the same importance as s1.h5, and would count twice" \
    mas-importance "$(models)/first.h5" --merge s1.h5 s2.h5 copy.h5 -o x.h5
  fails 1 "mas-importance: copy.h5: has the same importance as s1.h5, and would count twice" \
    mas-importance s1.h5 --merge s2.h5 copy.h5 -o x.h5
}

@test "a new task closes the one before, and reset forgets the running one" {
  mas-importance -q "$(models)/both.h5" -o two.h5
  mas-export two.h5 | grep -q "samples fed after task 2, earlier tasks in it 1,"
  mas-importance -q two.h5 --reset -o again.h5
  cmp two.h5 again.h5
  mas-importance -q "$(models)/both.h5" --reset -o fresh.h5
  cmp two.h5 fresh.h5
  mas-importance -q "$(models)/both.h5" --combine ema:0.5 -o ema.h5
  mas-importance -q ema.h5 -o more.h5
  mas-export more.h5 | grep -q "combine ema:0.5"
}

@test "no label is read: data without labels, or with others, give the same bytes" {
  mas-data -q "$small,classes=0-4" -o labelled.h5
  mas-importance -q "$(models)/first.h5" --data labelled.h5 -o a.h5
  /usr/bin/python3 -c '
import h5py
with h5py.File("labelled.h5") as a, h5py.File("unlabelled.h5", "w") as b: b["images"] = a["images"][:]' || skip "needs python3-h5py"
  mas-importance -q "$(models)/first.h5" --data unlabelled.h5 -o b.h5
  cmp a.h5 b.h5
  same "$(models)/important.h5" a.h5
}

@test "the other methods and estimators are there by name" {
  silent mas-importance -q "$(models)/first.h5" --method local -o local.h5
  mas-export local.h5 | grep -q "method local"
  silent mas-importance -q "$(models)/first.h5" --estimator batch:20 -o batch.h5
  mas-export batch.h5 | grep -q "estimator batch:20"
  run -1 same local.h5 "$(models)/important.h5"
  fails 1 "mas-importance: local.h5: holds samples of method local, estimator per-sample, outputs head; feed the same, or start anew with --reset" \
    mas-importance local.h5 -o x.h5
}

@test "verbose says how each parameter was computed" {
  mas-importance -q --verbose "$(models)/first.h5" -o v.h5 >report
  grep -q "^fc1.weight  *linear" report
  grep -q "^fc1.bias  *linear" report
}

@test "limit counts samples" {
  mas-importance "$(models)/first.h5" --limit 50 -o l.h5 | grep -q "^50 samples fed"
}

@test "input that can't be used is refused before any work" {
  fails 2 "mas-importance: --method: must be mas, local, ewc or l2, got max" mas-importance "$(models)/first.h5" --method max -o x.h5
  fails 2 "mas-importance: --estimator: must be per-sample or batch:N, got batch:0" mas-importance "$(models)/first.h5" --estimator batch:0 -o x.h5
  fails 2 "mas-importance: --method: has no meaning with --merge, which feeds no data; add --data" \
    mas-importance "$(models)/first.h5" --merge "$(models)/important.h5" --method local -o x.h5
  fails 2 "mas-importance: --shard: must be I/N with 1 <= I <= N, such as 1/4, got 3/2" mas-importance "$(models)/first.h5" --shard 3/2 -o x.h5
  fails 2 "mas-importance: --shard: must be I/N *" mas-importance "$(models)/first.h5" --shard 1/99999999999999999999 -o x.h5
  fails 2 "mas-importance: --estimator: must be *, got batch: 4" mas-importance "$(models)/first.h5" --estimator "batch: 4" -o x.h5
  fails 2 "mas-importance: --combine: *" mas-importance "$(models)/first.h5" --combine mean -o x.h5
  fails 1 "mas-importance: glyphs,size=9x9,samples=400: samples of 1 x 9 x 9 values, but $(models)/first.h5 takes 1 x 28 x 28" \
    mas-importance "$(models)/first.h5" --data "$small,size=9x9" -o x.h5
  [ ! -e x.h5 ]
}

@test "the Fisher information is fed by --method ewc, and only the empirical one reads labels" {
  first=$(models)/first.h5
  for fisher in exact sampled argmax empirical; do
    silent mas-importance -q "$first" --method ewc --fisher "$fisher" --limit 50 -o "$fisher.h5"
    mas-export "$fisher.h5" | grep "method ewc, estimator fisher-$fisher" >/dev/null
  done
  silent mas-importance -q "$first" --method ewc --batch 7 --limit 50 -o seven.h5
  same exact.h5 seven.h5
  mas-importance -q "$first" --method ewc --fisher sampled --seed 1 --limit 50 -o other.h5
  run ! cmp -s sampled.h5 other.h5
  # Shards draw what the whole does, and the same data once more get other draws, the same ones in every run.
  for i in 1 2; do mas-importance -q "$first" --method ewc --fisher sampled --limit 50 --shard "$i/2" -o "s$i.h5"; done
  mas-importance -q "$first" --merge s1.h5 s2.h5 -o merged.h5
  same sampled.h5 merged.h5
  for i in 1 2; do mas-importance -q sampled.h5 --method ewc --fisher sampled --limit 50 -o "twice$i.h5"; done
  cmp twice1.h5 twice2.h5
  run -1 same sampled.h5 twice1.h5
  for other in "" "--fisher argmax"; do
    # shellcheck disable=SC2086
    fails 2 "mas-importance: --seed: is for --fisher sampled" mas-importance "$first" --method ewc $other --seed 1 -o out.h5
  done
  fails 1 "mas-importance: *no labels, which --fisher empirical needs*" \
    mas-importance "$first" --data "$small,labels=none" --method ewc --fisher empirical -o out.h5
  silent mas-importance -q "$first" --data "$small,labels=none" --method ewc -o unlabelled.h5
  fails 1 "mas-importance: exact.h5: holds samples of method ewc, estimator fisher-exact*" mas-importance exact.h5 -o out.h5
  fails 2 "mas-importance: --fisher: is for --method ewc" mas-importance "$first" --fisher exact -o out.h5
  fails 2 "mas-importance: --fisher: must be exact, sampled, empirical or argmax, got all" \
    mas-importance "$first" --method ewc --fisher all -o out.h5
  fails 2 "mas-importance: --outputs: all is not for --method ewc: heads side by side are no choice between classes" \
    mas-importance "$first" --method ewc --outputs all -o out.h5
}

@test "a batch can be left to the memory" {
  first=$(models)/first.h5
  silent mas-importance -q "$first" --batch auto -o auto.h5
  silent mas-importance -q "$first" --batch auto --memory 600M -o tight.h5
  same "$(models)/important.h5" auto.h5
  same "$(models)/important.h5" tight.h5
  fails 2 "mas-importance: --memory: too little: *" mas-importance "$first" --memory 1K -o out.h5
  fails 2 "mas-importance: --memory: must be a size*" mas-importance "$first" --memory lots -o out.h5
  fails 2 "mas-importance: --batch: must be a whole number from 1, or auto, got 0" mas-importance "$first" --batch 0 -o out.h5
}
