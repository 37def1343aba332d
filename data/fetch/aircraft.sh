#!/usr/bin/env bash
# Fetches FGVC-Aircraft 2013b (2.8 GB) into ${MAS_DATA:-~/.local/share/mas}/aircraft and checks it: 100 variants, 6667 pictures
# to train with (the published training and validation parts together) and 3333 to test. By Subhransu Maji, Juho Kannala, Esa
# Rahtu, Matthew Blaschko and Andrea Vedaldi, for non-commercial research only; the photographers keep their copyright. Their
# names stay in the lowest 20 rows of the pictures. The checksum is the published MD5 sum. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="FGVC-Aircraft 2013b" terms="non-commercial research only" unpacked=2800000000
arrange() {
  unpack fgvc-aircraft-2013b.tar.gz
  list trainval >train.csv
  list test >test.csv
}
# A line is NUMBER VARIANT, and a variant's name may hold blanks.
list() {
  awk '{ number = $1; sub(/^[^ ]* /, ""); print "fgvc-aircraft-2013b/data/images/" number ".jpg," $0 }' \
    "fgvc-aircraft-2013b/data/images_variant_$1.txt"
}
fetch_set aircraft https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives arrange <<'FILES'
d4acdd33327262359767eeaa97a4f732 2750000000 fgvc-aircraft-2013b.tar.gz
FILES
