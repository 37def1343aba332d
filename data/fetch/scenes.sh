#!/usr/bin/env bash
# Fetches MIT's indoor scenes (2.6 GB) into ${MAS_DATA:-~/.local/share/mas}/scenes and checks them: 67 classes, 5360 pictures to
# train with and 1340 to test, of the 15620 in Images. By Ariadna Quattoni and Antonio Torralba, for research purposes only.
# None of their checksums is published by them: the pictures' is the one in vipy (vipy.dataset.MIT67), and the lists are checked
# by their size. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="MIT indoor scenes 67" terms="for research purposes only" unpacked=2650000000
arrange() {
  unpack indoorCVPR_09.tar
  list TrainImages.txt >train.csv
  list TestImages.txt >test.csv
}
# A line is CLASS/PICTURE.
list() { awk -F/ 'NF > 1 { sub(/\r$/, ""); print "Images/" $0 "," $1 }' "$1"; }
fetch_set scenes http://groups.csail.mit.edu/vision/LabelMe/NewImages arrange <<'FILES'
- 172080 TrainImages.txt https://web.mit.edu/torralba/www
- 43475 TestImages.txt https://web.mit.edu/torralba/www
0b252516e746ba428b96af408d2e8162d9b08ac5 2592010240 indoorCVPR_09.tar
FILES
