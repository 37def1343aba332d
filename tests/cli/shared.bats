#!/usr/bin/env bats
# Real and damaged data, where ../shared is there.

load helper

setup() {
  need_shared
  export MAS_DATA=$shared/datasets
  cd "$BATS_TEST_TMPDIR" || return
}

@test "every damaged file gets what is expected of it" {
  damaged=$MAS_DATA/damaged
  count=0
  while IFS=$'\t' read -r file _ expected _; do
    [ "$file" != file ] || continue
    count=$((count + 1))
    case $expected in
      error*line\ 6*) fails 1 "mas-data: $damaged/$file: line 6*" mas-data "$damaged/$file" ;;
      error*short*) fails 1 "mas-data: $damaged/$file: too short*" mas-data "$damaged/$file" ;;
      error:\ checksum*) fails 1 "mas-data: $damaged/$file: *checksum*" mas-data "$damaged/$file" ;;
      error:\ magic*) fails 1 "mas-data: $damaged/$file: *magic*" mas-data "$damaged/$file" ;;
      error* | *"without"*"error"*) fails 1 "mas-data: $damaged/$file: *" mas-data "$damaged/$file" ;;
      valid:\ 10\ rows*) mas-data "$damaged/$file" | grep -q "^samples  *10$" ;;
      valid*) silent mas-data -q "$damaged/$file" ;;
      *) echo "$file: $expected"; false ;;
    esac
  done <"$damaged/EXPECTED.tsv"
  [ "$count" -ge 30 ]
}

@test "labels that don't go with images are errors before any work" {
  damaged=$MAS_DATA/damaged
  images=$damaged/good-100-images-idx3-ubyte
  fails 1 "mas-train: *99 labels*100 rows" mas-train --arch mlp:8 --data "$images,labels=$damaged/only-99-labels-idx1-ubyte" -o m.h5
  mas-data -q "$images,labels=$damaged/label-200-labels-idx1-ubyte"
  mas-train -q --arch mlp:8 --data "$images,classes=0-9" --epochs 1 -o m.h5
  fails 1 "mas-eval: *label 200*" mas-eval m.h5 --data "$images,labels=$damaged/label-200-labels-idx1-ubyte"
}

@test "IDX, gzip, HDF5 and CSV copies of MNIST give the same model and importance, byte for byte" {
  mas-data -q mnist -o h5/
  mkdir csv
  mas-data -q mnist,split=train,limit=3000 -o csv/train.csv
  mas-data -q mnist,split=test,limit=1000 -o csv/test.csv
  weights() {  # SPEC
    mas-train -q --arch mlp:30 --data "$1" --epochs 1 --no-results -o m.h5
    mas-importance -q m.h5 | mas-export - --format npz | sha256sum
  }
  want=$(weights mnist,limit=3000)
  [ "$(weights h5,limit=3000)" = "$want" ]
  [ "$(weights csv)" = "$want" ]
  gunzip -c "$MAS_DATA/mnist/train-images-idx3-ubyte.gz" >train-images-idx3-ubyte
  gunzip -c "$MAS_DATA/mnist/train-labels-idx1-ubyte.gz" >train-labels-idx1-ubyte
  [ "$(weights train-images-idx3-ubyte,limit=3000)" = "$want" ]
}

@test "split MNIST, five tasks: importance keeps what finetuning forgets" {
  "$MAS_SOURCE/data/recipes/split-digits.sh" --seeds 1 --epochs 2 >table
  cat table
  awk -F'|' '/finetune/ { lost = $5 } /MAS/ { acc = $4; drop = $5 } END { exit !(acc > 98 && lost > 2 && drop < lost / 3) }' table
}

@test "memory doesn't depend on the number of samples" {
  command -v /usr/bin/time >/dev/null || skip "needs /usr/bin/time"
  mas-train -q --arch mlp:400,400 --data mnist,limit=1000 --epochs 1 --no-results -o m.h5
  peak() { /usr/bin/time -f %M mas-importance -q m.h5 --data "mnist$1" -o /dev/null 2>&1 | tail -n 1; }
  few=$(peak ,limit=2000)
  all=$(peak "")
  echo "peak memory: $few kB for 2000 samples, $all kB for 60000"
  [ "$all" -lt $((few + 30000)) ]
}
