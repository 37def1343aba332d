#!/usr/bin/env bash
# Fetches Stanford Cars (2.0 GB) into ${MAS_DATA:-~/.local/share/mas}/cars and checks them: 196 classes, 8144 pictures to train
# with and 8041 to test. By Jonathan Krause, Michael Stark, Jia Deng and Li Fei-Fei; no licence is known to be stated. Their
# home, https://ai.stanford.edu/~jkrause/cars, has been gone since 2023: MAS_FETCH_FROM has to name a mirror that holds
# cars_train.tgz, cars_test.tgz, car_devkit.tgz and cars_test_annos_withlabels.mat as they were; file:///FOLDER is one too.
# github.com/pytorch/vision/issues/7545 collects what is left elsewhere, most of it packed otherwise. The checksums are those
# of TensorFlow Datasets.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="Stanford Cars" terms="none stated" unpacked=2000000000 needs=(python3-scipy)
arrange() {
  unpack car_devkit.tgz
  unpack cars_train.tgz
  unpack cars_test.tgz
  "$python" - <<'P'
from scipy.io import loadmat

names = loadmat("devkit/cars_meta.mat", squeeze_me=True)["class_names"]
for part, file in {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}.items():
    with open(part + ".csv", "w") as out:
        for picture in loadmat(file, squeeze_me=True)["annotations"]:
            print(f'"cars_{part}/{picture["fname"]}",{names[int(picture["class"]) - 1]}', file=out)
P
}
fetch_set cars http://ai.stanford.edu/~jkrause/car196 arrange <<'FILES'
790f75be8ea34eeded134cc559332baf23e30e91367e9ddca97d26ed9b895f05 185758 cars_test_annos_withlabels.mat
b97deb463af7d58b6bfaa18b2a4de9829f0f79e8ce663dfa9261bf7810e9accd 330960 car_devkit.tgz
512b227b30e2f0a8aab9e09485786ab4479582073a144998da74d64b801fd288 979269282 cars_train.tgz
bffea656d6f425cba3c91c6d83336e4c5f86c6cffd8975b0f375d3a10da8e243 977350468 cars_test.tgz
FILES
