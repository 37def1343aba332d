# shellcheck shell=bash disable=SC2034,SC2154
# Tasks that are sets of pictures, for recipes that source this file after sequence.sh.

# Where the sets of the published experiments are described, in the order of the eight tasks.
pages="flowers|https://www.robots.ox.ac.uk/~vgg/data/flowers/102/
scenes|https://web.mit.edu/torralba/www/indoor.html
birds|https://www.vision.caltech.edu/datasets/cub_200_2011/
cars|https://pytorch.org/vision/stable/generated/torchvision.datasets.StanfordCars.html (its home page is gone)
aircraft|https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/
actions|http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
letters|http://www.ee.surrey.ac.uk/CVSSP/demos/chars74k/
svhn|http://ufldl.stanford.edu/housenumbers/"

# published_tasks NAME...: tasks of these sets, in the size that the published networks take.
published_tasks() {
  local name
  for name in "$@"; do printf '%s=%s,size=256,crop=224,normalize=imagenet ' "$name" "$name"; done
}

# image_settings NAME "METHODS" "SETS" OPTION...: of the recipe NAME, from its command line. The tasks that are named there, or
# else these published sets, are in the array `all` then, and are there.
image_settings() {
  name=$1 methods=$2 tasks='' seeds="1 2 3" arch=alexnet init='' experiment=$1 lambda='' jobs=1
  train="--epochs 100 --batch 200 --optimizer sgd --momentum 0.9 --lr 0.0008"
  models=$root/build/$1 out=$root/data/results
  local published
  read -ra published <<<"$3"
  parse_options "tasks methods seeds arch init train experiment lambda jobs models out name" "${@:4}"
  tasks_named=$tasks
  sets=${tasks:-$(published_tasks "${published[@]}")}
  read -rd "" -a all <<<"$sets" || true
  read -rd "" -a training <<<"$train" || true
  # shellcheck disable=SC2086
  need_lambdas "$experiment" task $methods
  need_sets "${all[@]}"
  prepare "$models"
  firsts=$models/first
}

# a_sample SPEC: which opens the same data, and reads little of them; without a cache, for which all would be decoded.
a_sample() { sed -E 's/,(cache|limit)=[^,]*//g; s/$/,limit=1/' <<<"$1"; }

# need_sets TASK...: stops with a list of the sets that aren't there, and where they are published.
need_sets() {
  local task name said missing=''
  for task in "$@"; do
    name=${task%%=*}
    said=$({ mas-data -q "$(a_sample "${task#*=}")" && mas-data -q "$(a_sample "$(test_spec "${task#*=}")")"; } 2>&1) && continue
    missing+="  ${said#mas-data: }"$'\n'
    missing+=$(awk -F'|' -v n="$name" '$1 == n { print "    published at " $2 "; data/fetch/" n ".sh gets it" }' <<<"$pages")$'\n'
  done
  [ -n "$missing" ] || return 0
  echo "${0##*/}: these data aren't there; put them in \$MAS_DATA, or name others with --tasks:" >&2
  printf '%s' "$missing" | sed '/^$/d' >&2
  return 1
}
