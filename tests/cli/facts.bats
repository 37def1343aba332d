#!/usr/bin/env bats
# Facts: pictures that are mapped to vectors of words.
# shellcheck disable=SC2154
load helper

few=facts,batch=B1,pictures=5

setup_file() {
  load helper
  cd "$BATS_FILE_TMPDIR" || return
  mas-train -q --arch facts --data "$few" --task b1 --epochs 6 --lr 0.003 --batch 32 -o b1.h5
  mas-importance -q b1.h5 -o important.h5
  mas-train -q important.h5 --data "facts,batch=B2,pictures=5" --task b2 --epochs 2 --batch 32 -o both.h5
}

need_torch() { /usr/bin/python3 -c 'import torch, h5py' 2>/dev/null || skip "needs python3-torch and python3-h5py"; }

@test "retrieval is what Python computes from the exported network" {
  need_torch
  mas-export "$(models)/both.h5" -o net.pt
  mas-data -q "$few,split=test" -o test.h5
  mas-eval "$(models)/both.h5" --measure map --json >report.json
  jq -e '.measure == "mAP" and .fwt != null' report.json
  want=$(/usr/bin/python3 "$MAS_SOURCE/tests/cli/facts.py" net.pt test.h5)
  jq -e --argjson want "$want" '.accuracy[-1][0] - $want | fabs < 1e-9' report.json
  # The same data in a file, and a part of them.
  mas-eval "$(models)/both.h5" --data test.h5 --json | jq -e --argjson want "$want" '.accuracy[0][0] - $want | fabs < 1e-9'
  # Of a topic its own pictures are searched.
  mas-data -q "$few,topic=sport,split=test" -o sport.h5
  want=$(/usr/bin/python3 "$MAS_SOURCE/tests/cli/facts.py" net.pt sport.h5)
  mas-eval "$(models)/both.h5" --data "$few,topic=sport" --json | jq -e --argjson want "$want" '.accuracy[0][0] - $want | fabs < 1e-9'
  # Or those of other data.
  mas-data -q "facts,pictures=5,split=test" -o all.h5
  want=$(/usr/bin/python3 "$MAS_SOURCE/tests/cli/facts.py" net.pt sport.h5 all.h5)
  mas-eval "$(models)/both.h5" --data "$few,topic=sport" --among "facts,pictures=5" --json |
    jq -e --argjson want "$want" '.accuracy[0][0] - $want | fabs < 1e-9'
  fails 1 "mas-eval: --among: holds no picture of fact [0-9]*, which --data asks for; name the set that those are a part of" \
    mas-eval "$(models)/both.h5" --data sport.h5 --among "facts,pictures=5,batch=B2"
  fails 1 "mas-eval: --among: holds no picture of <*>, which --data asks for; name the set that those are a part of" \
    mas-eval "$(models)/both.h5" --data "$few,topic=sport" --among "facts,pictures=5,batch=B2"
}

@test "importance is that of the concatenated vectors, one sample at a time" {
  need_torch
  mas-export "$(models)/b1.h5" -o net.pt
  mas-data -q "$few,limit=40" -o some.h5  # of all three forms
  for method in mas exact empirical; do
    options=(--method ewc --fisher "$method")
    [ "$method" != mas ] || options=(--method mas)
    mas-importance -q "$(models)/b1.h5" --data some.h5 "${options[@]}" -o o.h5
    mas-export o.h5 --format npz --what importance -o o.npz
    [ "$(/usr/bin/python3 "$MAS_SOURCE/tests/cli/facts.py" net.pt some.h5 o.npz "$method")" = equal ]
  done
}

@test "importance on the task's own data has nothing to remark, with labels and without" {
  for options in "--method mas" "--method ewc --fisher empirical"; do
    # shellcheck disable=SC2086
    run ! grep -q "isn't what" <(mas-importance "$(models)/b1.h5" $options -o o.h5 2>&1)
  done
}

@test "samples of the fisher information tend to the exact one" {
  for kind in exact sampled; do
    mas-importance -q "$(models)/b1.h5" --method ewc --fisher $kind -o $kind.h5
  done
  mas-eval --importance exact.h5 sampled.h5 --json >agreement
  jq -e '.others[0].all | (.other_mean / .mean - 1 | fabs < 0.1) and .rank_correlation > 0.9' agreement
}

@test "facts go through every method that isn't about classes" {
  next=(--data "facts,batch=B2,pictures=5" --task b2 --epochs 1)
  for options in "--method local" "--method l2" "--method ewc --fisher sampled"; do
    # shellcheck disable=SC2086
    mas-importance -q "$(models)/b1.h5" $options -o o.h5
    silent mas-train -q o.h5 "${next[@]}" -o m.h5
  done
  silent mas-train -q "$(models)/b1.h5" --lambda 0 "${next[@]}" --track si -o m.h5
  silent mas-train -q --merge mean "$(models)/b1.h5" m.h5 -o merged.h5
  silent mas-train -q --arch facts --data "$few" --data "facts,batch=B2,pictures=5" --epochs 1 -o joint.h5
  mas-eval joint.h5 | grep -q "^ACC"
  resumes_exactly mas-train "$(models)/important.h5" --data "facts,batch=B2,pictures=5" --augment crop:2 --validation 0.2
  fails 1 "mas-train: *: has learned facts, and --distill is for classes; leave it out" \
    mas-train "$(models)/b1.h5" "${next[@]}" --distill lwf -o x.h5
  fails 2 "mas-train: --code: is for classes, and facts have vectors; leave it out" \
    mas-train --arch facts --data "$few" --code 5 -o x.h5
}

@test "facts can be learned as classes, by any network, and not mixed up with them" {
  silent mas-train -q --arch convnet --scenario task --data "$few" --epochs 1 -o classes.h5
  mas-eval classes.h5 | grep -q "^accuracy, %"
  silent mas-train -q --arch mlp:20 --data "$few" --epochs 1 -o mlp.h5
  mas-export mlp.h5 | grep -q "^vectors.weight *48x20"
  fails 2 "mas-eval: --measure: map is for facts, and these tasks are of classes" mas-eval classes.h5 --measure map
  fails 2 "mas-eval: --among: is for facts, and these tasks are of classes" mas-eval classes.h5 --data "$few" --among facts
  fails 2 "mas-eval: --measure: facts are measured by map; leave it out" mas-eval mlp.h5 --measure accuracy
  fails 2 "mas-eval: --measure: must be accuracy or map, got recall" mas-eval mlp.h5 --measure recall
  fails 1 "mas-train: classes.h5: its tasks are of scenario task, not facts" \
    mas-train classes.h5 --scenario facts --data "$few" -o x.h5
  fails 1 "mas-train: glyphs: has no facts with vectors, which scenario facts needs; see mas(7), FACTS" \
    mas-train --arch mlp:20 --scenario facts --data glyphs -o x.h5
  fails 1 "mas-eval: *: samples of *" mas-eval mlp.h5 --data glyphs
}

@test "a network with weights from elsewhere has new layers behind them" {
  mas-train -q --arch convnet --scenario task --data "$few" --epochs 1 --no-results -o classes.h5
  mas-train --arch convnet --data "$few" --init classes.h5 --epochs 1 --no-results -o m.h5 2>said
  grep -q "^mas-train: classes.h5: has no vectors.bias, vectors.weight: these start anew$" said
  grep -q "^mas-train: classes.h5: head.weight left out: the network has outputs of its own, without a head$" said
  echo '{"layers": [{"type": "flatten"}], "own_head": "yes"}' >net.json
  fails 1 'mas-train: net.json: "own_head" must be true or false, got "yes"' mas-train --arch net.json --data "$few" -o x.h5
  echo '{"layers": [{"type": "flatten"}], "new": "x"}' >net.json
  fails 1 "mas-train: net.json: \"new\" must be a list of layers' names, got \"x\"" mas-train --arch net.json --data "$few" -o x.h5
  echo '{"layers": ["relu"]}' >net.json
  fails 1 'mas-train: net.json: layer 1: needs an object with a "type"' mas-train --arch net.json --data "$few" -o x.h5
}

@test "vectors belong to the data: others are noticed, and so are missing ones" {
  /usr/bin/python3 -c 'import h5py' || skip "needs python3-h5py"
  mas-data -q "$few,limit=60" -o some.h5
  mas-train -q --arch mlp:8 --data some.h5 --epochs 2 --no-results --checkpoint ck.h5 -o m.h5
  cp some.h5 whole.h5
  edit() { cp whole.h5 some.h5 && /usr/bin/python3 -c "import h5py, numpy as np; f = h5py.File('some.h5', 'r+'); $1"; }
  edit "f['vectors'][1, 0] += 1"
  fails 1 "mas-train: some.h5: isn't what ck.h5 was begun with (*" mas-train --resume ck.h5 -o x.h5
  edit "del f['vectors']"
  fails 1 "mas-train: some.h5: isn't what ck.h5 was begun with (*" mas-train --resume ck.h5 -o x.h5
  edit "f['vectors'][1] = np.nan"
  fails 1 "mas-data: some.h5: label 1 has no vector; see /vectors in mas(7), HDF5" mas-data some.h5
  edit "f['vectors'][1, 2] = np.nan"
  fails 1 "mas-data: some.h5: label 1: has NaN within a word, or no word before another; see /vectors in mas(7), HDF5" mas-data some.h5
  edit "f['vectors'][1, 0] = np.inf"
  fails 1 "mas-data: some.h5: /vectors: holds an infinite value" mas-data some.h5
  edit "del f['vectors']; f['vectors'] = np.zeros((96, 2), 'i4')"
  fails 1 "mas-data: some.h5: /vectors: int32, expected floats" mas-data some.h5
  edit "del f['vectors']; f['vectors'] = np.zeros(96, 'f4')"
  fails 1 "mas-data: some.h5: /vectors: 96, expected a row of values for each label" mas-data some.h5
  edit "del f['vectors']; f['vectors'] = np.zeros((96, 6), 'f4')"
  fails 1 "mas-eval: some.h5: its facts have vectors of 6 values, but m.h5 gives 48 outputs" mas-eval m.h5 --data some.h5
  edit "del f['vectors']; f['vectors'] = np.zeros((96, 5), 'f4')"
  fails 1 "mas-data: some.h5: /vectors: 96 x 5, expected the values of three words *" mas-data some.h5
  edit "del f['vectors']; f['vectors'] = h5py.SoftLink('/nowhere')"
  fails 1 "mas-data: some.h5: /vectors: a link that leads nowhere" mas-data some.h5
}

# says COMMAND...: what it says on standard error, in the file said; it has to succeed.
says() { "$@" 2>said >report; }

@test "words with other vectors than a task learned them with are noticed" {
  other="facts,batch=B2,pictures=5,seed=1"
  next=(--lambda 0 --epochs 1 --no-results)
  line="$other: [0-9]+ of [0-9]+ words have another vector than the model learned \(.*, \.\.\.\), which contradicts that; take the same vectors= or seed="
  says mas-train "$(models)/b1.h5" "${next[@]}" --data "$other" --task b2 -o m.h5
  grep -Eqx "mas-train: $line" said
  says mas-eval "$(models)/b1.h5" --data "$other"
  grep -Eqx "mas-eval: .*b1.h5: $line" said
  says mas-train --arch mlp:5 --data "$few" --task b1 --data "$other" --task b2 --epochs 1 --no-results -o x.h5
  grep -Eqx "mas-train: $line" said
  # Of each word the last task's are what the network has by now.
  says mas-eval m.h5 --data "$other"
  run ! grep -q "another vector" said
  says mas-eval m.h5 --data "$few"
  grep -q "another vector than the model learned" said
  says mas-train "$(models)/b1.h5" "${next[@]}" --data "facts,batch=B2,pictures=5" -o m.h5
  run ! grep -q "another vector" said
  says mas-eval "$(models)/b1.h5" --data "facts,pictures=5"
  run ! grep -q "another vector" said
  fails 1 "mas-eval: facts,pictures=5,seed=1: has other vectors of *, ... than $few, so none of its pictures answers; name the same vectors= or seed=" \
    mas-eval "$(models)/b1.h5" --data "$few" --among facts,pictures=5,seed=1
}

@test "a record of words that can't be is an error, and none is fine" {
  need_torch
  edit() { h5unjam -i "$(models)/b1.h5" -o m.h5 --delete >h5unjam.log && /usr/bin/python3 -c "import h5py, json; f = h5py.File('m.h5', 'r+')
tasks = json.loads(f['tasks'][()]); $1; a = dict(f['tasks'].attrs); del f['tasks']; f['tasks'] = json.dumps(tasks)"; }
  for words in '[1, 2]' '"man"' '{"man": 1}' null; do
    edit "tasks[0]['words'] = json.loads('$words')"
    fails 1 "mas-eval: m.h5: /tasks isn't a list of task records" mas-eval m.h5
  done
  edit "del tasks[0]['words']"
  says mas-eval m.h5 --data facts,pictures=5,seed=1
  [ ! -s said ]
}

@test "a network for facts that meets classes says that it has a head for them" {
  rest=(--epochs 1 --no-results -o m.h5)
  says mas-train --arch facts --data glyphs,samples=40 "${rest[@]}"
  grep -qx "mas-train: glyphs,samples=40: has classes, no vectors of facts, so facts gets a head for them; see mas(7), ARCHITECTURES" said
  says mas-train --arch facts --scenario task --data glyphs,samples=40 "${rest[@]}"
  [ ! -s said ]
  says mas-train --arch facts --data "$few" "${rest[@]}"
  [ ! -s said ]
  echo '{"layers": [{"type": "flatten"}, {"type": "linear", "out": 4}]}' >facts-mine.json
  says mas-train --arch facts-mine.json --data glyphs,samples=40 "${rest[@]}"
  [ ! -s said ]
}

# pictures DIRECTORY N: small ones, of which each is another.
pictures() {
  mkdir -p "$1"
  mas-data -q "facts,limit=$2" -o p.h5
  /usr/bin/python3 -c 'import sys, h5py
from PIL import Image
for i, x in enumerate(h5py.File("p.h5")["images"][:]): Image.fromarray(x.transpose(1, 2, 0)).save(f"{sys.argv[1]}/{i}.png")' "$1"
}

@test "a list of facts with vectors of words" {
  /usr/bin/python3 -c 'import h5py, PIL' 2>/dev/null || skip "needs python3-h5py and python3-pil"
  pictures p 6
  printf 'image,subject,predicate,object\np/0.png,man,,\np/1.png,man,riding,\np/2.png,man,riding,horse\np/3.png,dog,,\np/4.png,"wine glass",,\np/5.png,man,,\n' >list.csv
  printf 'man 1 0\nriding 0.5 1\nhorse 2 2\ndog -1 0.25\nwine 3 4\nglass 5 6\nother 9 9\n' >words.txt
  mas-data list.csv,vectors=words.txt >described
  grep -q "<man, riding, horse>$" described
  grep -qx "vectors       of subject, predicate and object, 2 values each" described
  mas-data --json list.csv,vectors=words.txt | jq -e .word_values==2
  mas-data -q list.csv,vectors=words.txt -o list.h5
  h5dump -d /vectors list.h5 | grep -q "(0,0): -1, 0.25, nan, nan, nan, nan"
  h5dump -d /vectors list.h5 | grep -q ": 1, 0, 0.5, 1, 2, 2"
  h5dump -d /vectors list.h5 | grep -q ": 4, 5, nan, nan, nan, nan"
  h5dump -d /labels list.h5 | grep -q "(0): 1, 2, 3, 0, 4, 1"
  silent mas-train -q --arch mlp:8 --data list.csv,vectors=words.txt --epochs 1 --no-results -o list-model.h5
  silent mas-importance -q list-model.h5 --data list.csv -o o.h5
  fails 1 "mas-train: list.csv: facts are learned as vectors of their words; add vectors=FILE, word2vec's or GloVe's, *" \
    mas-train --arch mlp:8 --data list.csv -o x.h5
  for spec in list.csv,vectors=words.txt list.csv,split=train,vectors=words.txt; do
    says mas-train --arch mlp:8 --data $spec --epochs 1 -o x.h5
    grep -q "^mas-train: list.csv,.*: has no test part, so task1 won't be tested; split=0.8 keeps a share of it for that$" said
  done
  for rest in "--data list.csv,vectors=words.txt,split=0.8" "--data list.csv,vectors=words.txt --no-results"; do
    # shellcheck disable=SC2086
    says mas-train --arch mlp:8 $rest --epochs 1 -o x.h5
    run ! grep -q "has no test part" said
  done
  grep -v horse words.txt >fewer.txt
  fails 1 "mas-data: list.csv: line 4: no vector of horse in fewer.txt" mas-data list.csv,vectors=fewer.txt
  printf 'man 1 0\nriding 0.5 1 7\n' >uneven.txt
  fails 1 "mas-data: uneven.txt: line 2: 3 values, but the vectors before have 2" mas-data list.csv,vectors=uneven.txt
  # The same words with other vectors are other data.
  mas-train -q --arch mlp:8 --data list.csv,vectors=words.txt --epochs 1 --no-results -o own.h5
  cp words.txt kept.txt
  sed -i 's/^man 1 0/man 1 1/' words.txt
  mas-importance own.h5 --method ewc --fisher empirical -o o.h5 2>&1 | grep -q "isn't what task task1 learned"
  run ! grep -q "isn't what task" <(mas-importance own.h5 -o o.h5 2>&1)  # which reads none
  cp kept.txt words.txt
  # Labels of another file have no names.
  printf '5\n4\n3\n2\n1\n0\n' >numbers.txt
  mas-data list.csv,labels=numbers.txt --json | jq -e '[.classes[] | has("name") and .name != ""] | any | not'
  # What is read is never written over.
  cp words.txt words.csv
  ln words.csv hard.csv
  for file in words.csv hard.csv; do
    fails 1 "mas-data: $file: is what is read; name another file" mas-data list.csv,vectors=words.csv -o $file
  done
  fails 1 "mas-data: numbers.csv: is what is read; name another file" \
    bash -c 'mv numbers.txt numbers.csv; mas-data list.csv,labels=numbers.csv -o numbers.csv'
  fails 1 "mas-data: p/0.png: is one of the pictures that are read; name another file" \
    mas-data list.csv,vectors=words.txt --sheet p/0.png
  fails 1 "mas-data: tra/b.tra: lists of pictures aren't joined, and tra/a.tra is another; make one of them" \
    bash -c 'mkdir tra; sed "s#^p/#../p/#" list.csv | tee tra/a.tra >tra/b.tra; mas-data tra'
  fails 1 "mas-data: glyphs: vectors= is for lists of facts, whose first line names the columns image, subject, predicate and object, and this is a generator" mas-data glyphs,vectors=words.txt
  fails 1 "mas-data: list.csv: vectors= is for facts, and labels= takes others; leave one of them out" \
    mas-data list.csv,vectors=words.txt,labels=numbers.csv
  fails 1 "mas-data: list.h5: vectors= is for lists of facts, *, and this is HDF5" mas-data list.h5,vectors=words.txt
  fails 1 "mas-eval: list.csv: its facts have no vectors to compare with; add vectors=FILE, word2vec's or GloVe's" \
    mas-eval list-model.h5 --data list.csv
  sed 's/^image,/picture,/' list.csv >picture.csv
  fails 1 "mas-data: picture.csv: vectors= is for lists of facts, *, and this is * that begins with picture,subject,predicate,object" \
    mas-data picture.csv,vectors=words.txt
  sed 1d list.csv >headless.csv
  fails 1 "mas-data: headless.csv: vectors= is for lists of facts, whose first line names the columns image, subject, predicate and object, and this is CSV that begins with p/0.png,man,," \
    mas-data headless.csv,vectors=words.txt
  fails 1 "mas-data: p: vectors= is for lists of facts, *, and this is a folder of pictures" mas-data p,vectors=words.txt
}

@test "lists of facts that can't be are said by line" {
  touch 1.png
  echo "man 1 2" >none.txt
  bad() {
    printf '%b' "$2" >bad.csv
    fails 1 "mas-data: bad.csv: $1" mas-data bad.csv,vectors=none.txt
  }
  bad "line 1: no columns image and subject" "image,$(printf 'a%.0s' {1..4082}),subject_id,predicate,object\\n"
  bad "line 2: *aaa: file name too long" "image,subject,predicate,object\\n$(printf 'a%.0s' {1..5000}),man,,\\n"
  bad "line 1: two columns image" 'image,subject,predicate,object,image\n'
  bad "line 2: a word of 129 bytes" "image,subject,predicate,object\\n1.png,$(printf 'a%.0s' {1..129}),,\\n"
  bad "line 1: no column object among image, subject, predicate; a list of facts has image, subject, predicate and object" 'image,subject,predicate\n1.png,man,\n'
  bad "line 2: 3 fields, but line 1 has 4" 'image,subject,predicate,object\n1.png,man,riding\n'
  bad "line 3: no image" 'image,subject,predicate,object\n1.png,man,,\n,man,,\n'
  bad "line 2: no subject" 'image,subject,predicate,object\n1.png,,riding,\n'
  bad "line 2: a, b is no word" 'image,subject,predicate,object\n1.png,"a, b",,\n'
  bad "line 2: an object without a predicate" 'image,subject,predicate,object\n1.png,man,,horse\n'
  bad "line 2: 2.png: no such file or directory" 'image,subject,predicate,object\n2.png,man,,\n'
  bad "no pictures below its first line" 'image,subject,predicate,object\n'
  fails 2 "mas-data: topic=arts: must be one of food, furniture, sport" mas-data facts,topic=arts
}
