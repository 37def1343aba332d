#!/usr/bin/env bash
# Fetches Caltech-UCSD Birds 200-2011 (1.2 GB) into ${MAS_DATA:-~/.local/share/mas}/birds and checks them: 200 classes, 5994
# pictures to train with and 5794 to test. By Catherine Wah, Steve Branson, Peter Welinder, Pietro Perona and Serge Belongie;
# the set states no licence. The checksum is that of TensorFlow Datasets. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="Caltech-UCSD Birds 200-2011" terms="none stated" unpacked=1300000000
arrange() {
  unpack CUB_200_2011.tgz
  list 1 >train.csv
  list 0 >test.csv
}
# Both files have an id a line: images.txt a picture's path, CLASS/PICTURE, the other 1 where it is to train with.
list() {
  awk -v part="$1" 'NR == FNR { is[$1] = $2; next } is[$1] == part {
    class = $2; sub("/.*", "", class); print "CUB_200_2011/images/" $2 "," class
  }' CUB_200_2011/train_test_split.txt CUB_200_2011/images.txt
}
fetch_set birds https://data.caltech.edu/records/65de6-vp158/files arrange <<'FILES'
0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081 1150585339 CUB_200_2011.tgz
FILES
