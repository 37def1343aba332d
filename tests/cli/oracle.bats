#!/usr/bin/env bats
# Importance files against PyTorch, one sample at a time in float64 (oracle.py): within 1e-5 whatever the batch size.

load helper

judge() {  # ARCH TRAINING-DATA IMAGES
  local batch judged=()
  mas-train -q --arch "$1" --scenario domain --data "$2" --epochs 1 --no-results -o model.h5
  mas-data -q "$3" -o images.h5
  for batch in 1 7 128 2000; do
    mas-importance -q model.h5 --data "$3" --batch "$batch" -o "batch-$batch.h5"
    judged+=("batch-$batch.h5")
  done
  local status=0
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/oracle.py" images.h5 "${judged[@]}" || status=$?
  [ "$status" -ne 77 ] || skip "needs python3-torch and python3-h5py"
  return "$status"
}

@test "an MLP's importance on glyphs equals the oracle's for every batch size" { judge mlp:40,30 glyphs,samples=2000 glyphs,limit=300; }

@test "a convnet's importance on glyphs equals the oracle's for every batch size" { judge convnet glyphs,samples=2000 glyphs,limit=150; }

@test "an MLP's importance on 2,000 MNIST images equals the oracle's for every batch size" {
  need_shared
  MAS_DATA=$shared/datasets judge mlp:400,400 mnist mnist,limit=2000
}

@test "a convnet's importance on 2,000 MNIST images equals the oracle's for every batch size" {
  need_shared
  MAS_DATA=$shared/datasets judge convnet mnist,limit=5000 mnist,limit=2000
}
