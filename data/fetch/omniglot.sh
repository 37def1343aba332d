#!/usr/bin/env bash
# Fetches Omniglot (17 MB) into ${MAS_DATA:-~/.local/share/mas}/omniglot and checks it: drawings of the characters of 50
# alphabets, a character being a class. "omniglot" as data is the background set (964 characters, 19280 drawings), which has no
# test part: split=0.8 takes a share. omniglot/evaluation.csv is the evaluation set (659 characters, 13180 drawings),
# omniglot/small1.csv the first small set within the background, and omniglot/images_background/Greek, for one, the characters
# of an alphabet. By Brenden Lake, Ruslan Salakhutdinov and Joshua Tenenbaum; licence MIT. The checksums are those of TensorFlow
# Datasets. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title=Omniglot terms=MIT unpacked=145000000 needs=(unzip)
arrange() {
  list images_background >train.csv
  list images_evaluation >evaluation.csv
  list images_background_small1 >small1.csv
}
# Of ALPHABET/CHARACTER/DRAWING.
list() {
  unpack "$1.zip"
  find "$1" -name '*.png' | LC_ALL=C sort | awk -F/ '{ print $0 "," $2 "/" $3 }'
}
fetch_set omniglot https://raw.githubusercontent.com/brendenlake/omniglot/master/python arrange <<'FILES'
ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640 9464212 images_background.zip
1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee 6462886 images_evaluation.zip
f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4 1319022 images_background_small1.zip
FILES
