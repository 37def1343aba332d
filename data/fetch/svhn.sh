#!/usr/bin/env bash
# Fetches Street View House Numbers, cropped digits (246 MB), into ${MAS_DATA:-~/.local/share/mas}/svhn and checks them: 73257
# digits to train with and 26032 to test, as HDF5. By Yuval Netzer, Tao Wang, Adam Coates, Alessandro Bissacco, Bo Wu and Andrew
# Y. Ng, for non-commercial use only. The checksums are those of TensorFlow Datasets. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="SVHN, cropped digits" terms="non-commercial use only" unpacked=306000000 needs=(python3-scipy python3-h5py)
arrange() {
  "$python" - <<'P'
import h5py, scipy.io

for part in "train", "test":
    digits = scipy.io.loadmat(part + "_32x32.mat")
    with h5py.File(part + ".h5", "w") as out:  # X is rows x columns x colours x samples; 10 is the label of 0
        out.create_dataset("images", data=digits["X"].transpose(3, 2, 0, 1), track_times=False)
        out.create_dataset("labels", data=digits["y"].ravel() % 10, track_times=False)
P
  rm ./*.mat
}
fetch_set svhn http://ufldl.stanford.edu/housenumbers arrange <<'FILES'
435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8 182040794 train_32x32.mat
cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b 64275384 test_32x32.mat
FILES
