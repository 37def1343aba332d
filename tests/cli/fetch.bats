#!/usr/bin/env bats
# The scripts in data/fetch against a server on this machine: real files where they are at hand, else archives made up here
# that are laid out as the published ones, with checksum programs that are content with them.

load helper

fetch=$MAS_SOURCE/data/fetch
pictures=$MAS_SOURCE/tests/fuzz/corpus-pictures

setup_file() {
  command -v curl >/dev/null || skip "needs curl"
  mkdir "$BATS_FILE_TMPDIR/served"
  cd "$BATS_FILE_TMPDIR/served" || return
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/fetch_server.py" >/dev/null 2>&1 3>&- &
  echo $! >../server
  until [ -s port ]; do sleep 0.05; done
}
teardown_file() { [ ! -e "$BATS_FILE_TMPDIR/server" ] || kill "$(cat "$BATS_FILE_TMPDIR/server")"; }

setup() {
  served=$BATS_FILE_TMPDIR/served
  export MAS_DATA=$BATS_TEST_TMPDIR/data
  from whole
  cd "$BATS_TEST_TMPDIR" || return
}

# from MODE: see fetch_server.py.
from() {
  MAS_FETCH_FROM=http://127.0.0.1:$(cat "$served/port")/$1
  export MAS_FETCH_FROM
}

# trust: any file has the right checksum; of those whose names end in REAL the true program judges.
trust() {
  local tool
  mkdir -p bin
  for tool in md5sum sha1sum sha256sum; do
    cat >bin/$tool <<SH
#!/bin/sh
read -r line
case \$line in *${REAL:-/}) echo "\$line" | $(command -v $tool) "\$@" ;; esac
SH
    chmod +x bin/$tool
  done
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

need_module() { /usr/bin/python3 -c "import $1" 2>/dev/null || skip "needs python3-${1,,}"; }

# fetches NAME: says what comes in two lines, and leaves the set alone.
fetches() {
  "$fetch/$1.sh" >out 2>err || { cat err; return 1; }
  [ ! -s out ]
  [ "$(wc -l <err)" -eq 2 ] || { cat err; return 1; }
  grep -qE "^$1.sh: .+, [0-9.]+ MB, [0-9.]+ MB of disk until it is done; terms: .+$" err
  grep -qE "^$1.sh: from $MAS_FETCH_FROM, checked by (MD5|SHA-1|SHA-256|size and SHA-1), into $MAS_DATA/$1$" err
  [ "$(ls -A "$MAS_DATA")" = "$1" ]
}

# refuses MESSAGE NAME: fails with that line, a glob, in the end, and leaves nothing.
refuses() {
  local status=0
  "$fetch/$2.sh" >out 2>err || status=$?
  # shellcheck disable=SC2053
  if [ $status -ne 1 ] || [ "$(wc -l <err)" -gt 4 ] || [[ $(tail -n 1 err) != "$2.sh: "$1 ]]; then
    echo "status $status; wanted: $1; got:"
    cat err
    return 1
  fi
  [ -z "$(ls -A "$MAS_DATA" 2>/dev/null)" ]
}

# holds SPEC SAMPLES CLASSES
holds() {
  silent mas-data "$1" --json >json
  grep -q "^  \"samples\": $2,$" json || { cat json; return 1; }
  [ "$(grep -c '"label":' json)" -eq "$3" ] || { cat json; return 1; }
}

# photos FOLDER NAME...: pictures of these names.
photos() {
  local folder=$1 name
  shift
  mkdir -p "$folder"
  for name in "$@"; do cp "$pictures/colour.jpg" "$folder/$name"; done
}

@test "each script says what it does, and takes nothing else" {
  for script in "$fetch"/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" != common ] || continue
    "$script" --help >help 2>err
    [ ! -s err ]
    grep -q "^Fetches .* MB\|^Fetches .* GB" help
    tr '\n' ' ' <help | grep -qE "licence|purposes only|research only|use only|terms of use|cite them"
    grep -q "MAS_FETCH_FROM" help
    fails 2 "$name.sh: --all: takes nothing but --help" "$script" --all
    fails 1 "mas-data: $name: not found *, or fetch it with data/fetch/$name.sh" mas-data "$name"
  done
}

@test "mnist and fashion-mnist" {
  need_shared
  for name in mnist fashion-mnist; do
    cp "$shared/datasets/$name"/*.gz "$served"
    fetches $name
    holds $name 60000 10
    holds $name,split=test 10000 10
    rm -r "$MAS_DATA"
  done
}

@test "a folder that is there isn't touched" {
  mkdir -p "$MAS_DATA/mnist"
  fails 0 "mnist.sh: $MAS_DATA/mnist is there already" "$fetch/mnist.sh"
  [ -z "$(ls -A "$MAS_DATA/mnist")" ]
  rmdir "$MAS_DATA/mnist"
  ln -s nowhere "$MAS_DATA/mnist"
  fails 0 "mnist.sh: $MAS_DATA/mnist is there already" "$fetch/mnist.sh"
  [ -L "$MAS_DATA/mnist" ]
}

@test "what breaks off goes on or begins anew" {
  need_shared
  cp "$shared/datasets/mnist"/*.gz "$served"
  for mode in once anew; do
    from $mode
    fetches mnist
    rm -r "$MAS_DATA"
  done
  from always
  refuses "train-images-idx3-ubyte.gz: not to be had from $MAS_FETCH_FROM (curl: (18) *); MAS_FETCH_FROM=URL names a mirror" mnist
}

@test "a file that isn't there or has another checksum leaves nothing" {
  rm -f "$served"/*.gz
  refuses "train-images-idx3-ubyte.gz: not to be had from $MAS_FETCH_FROM (*404*); MAS_FETCH_FROM=URL names a mirror" mnist
  echo other >"$served/train-images-idx3-ubyte.gz"
  refuses "train-images-idx3-ubyte.gz: wrong checksum (SHA-256), so nothing is kept" mnist
}

@test "a place that can't be written to is said in a line" {
  refused() {
    run -1 --separate-stderr "$fetch/mnist.sh"
    # shellcheck disable=SC2154
    [[ ${stderr_lines[-1]} == "mnist.sh: $1; MAS_DATA=FOLDER names "* ]]
  }
  touch file
  MAS_DATA=$PWD/file refused "$PWD/file: can't be written to (File exists)"
  MAS_DATA=/dev/null/x refused "/dev/null/x: can't be written to (Not a directory)"
  unset HOME MAS_DATA
  refused "neither MAS_DATA nor HOME is set"
}

@test "what comes, and too little room for it, is said before anything is downloaded" {
  mkdir bin modules
  printf '#!/bin/sh\necho Filesystem\necho "/dev/x 1 1 2000 1 /"\n' >bin/df
  touch bin/unzip modules/{scipy,h5py,PIL}.py
  chmod +x bin/*
  unset MAS_FETCH_FROM
  for script in "$fetch"/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" != common ] || continue
    PATH=$PWD/bin:$PATH PYTHONPATH=$PWD/modules \
      refuses "$MAS_DATA: 2.0 MB are free, but * are needed; MAS_DATA=FOLDER names another place" "$name"
    grep -qE "^$name.sh: from https?://[^ ]+( or https?://[^ ]+)*, checked by [A-Z0-9 and-]+, into $MAS_DATA/$name$" err ||
      grep -qE "^scenes.sh: from http.*/NewImages or https://web.mit.edu/torralba/www, checked by size and SHA-1, into" err
  done
}

@test "missing modules are said before anything is downloaded" {
  mkdir modules
  echo "raise ImportError" | tee modules/scipy.py >modules/PIL.py
  PYTHONPATH=$PWD/modules refuses "needs python3-scipy (apt-get install python3-scipy)" flowers
  PYTHONPATH=$PWD/modules refuses "needs python3-scipy python3-h5py (apt-get install python3-scipy python3-h5py)" svhn
  PYTHONPATH=$PWD/modules refuses "needs python3-pil (apt-get install python3-pil)" actions
}

@test "an archive's members can't leave the folder" {
  trust
  pack() { tar -czPf "$served/cifar-100-binary.tar.gz" "$@"; }
  mkdir x
  head -c 3074 /dev/zero | tee x/train.bin >x/test.bin
  pack --transform 's,x/,../../,' x/train.bin
  refuses "cifar-100-binary.tar.gz: can't be unpacked (tar: *), so nothing is kept" cifar100
  pack --transform "s,x/,$PWD/," x/train.bin  # absolute: lies here, and --strip-components takes the first name off
  "$fetch/cifar100.sh" 2>err
  [ ! -e train.bin ] && [ -n "$(find "$MAS_DATA/cifar100" -name train.bin)" ]
  rm -r "$MAS_DATA"
  ln -s ../../elsewhere x/link
  pack x
  refuses "cifar-100-binary.tar.gz: link is a link or device, so nothing is kept" cifar100
  rm x/link
  mkfifo x/pipe
  pack x
  refuses "cifar-100-binary.tar.gz: pipe is a link or device, so nothing is kept" cifar100
  head -c 100 "$served/cifar-100-binary.tar.gz" >half
  mv half "$served/cifar-100-binary.tar.gz"
  refuses "cifar-100-binary.tar.gz: can't be unpacked (*), so nothing is kept" cifar100
  [ "$(find . -name train.bin)" = ./x/train.bin ] && [ ! -e ../train.bin ]
}

@test "a zip archive's members can't either" {
  command -v unzip >/dev/null || skip "needs unzip"
  trust
  pack() {
    (cd "$served" && /usr/bin/python3 - "$@") <<'P'
import sys, zipfile
for part in "background", "evaluation", "background_small1":
    with zipfile.ZipFile(f"images_{part}.zip", "w") as out:
        member = zipfile.ZipInfo(sys.argv[1])
        member.create_system, member.external_attr = 3, int(sys.argv[2], 8) << 16
        out.writestr(member, "../../elsewhere")
P
  }
  pack ../../out.png 100644
  refuses "what came is laid out otherwise than expected, so nothing is kept" omniglot  # it lay here
  [ -z "$(find .. -name out.png)" ]
  pack images_background/link 120777
  refuses "images_background.zip: images_background/link is a link or device, so nothing is kept" omniglot
}

@test "wget does where there is no curl" {
  need_shared
  command -v wget >/dev/null || skip "needs wget"
  cp "$shared/datasets/mnist"/*.gz "$served"
  mkdir bin
  for tool in bash awk dirname cat mkdir df mktemp rm mv chmod sha256sum wget; do ln -s "$(command -v $tool)" bin; done
  for mode in whole once anew; do
    from $mode
    PATH=$PWD/bin "$fetch/mnist.sh" 2>err
    [ "$(wc -l <err)" -eq 2 ]
    rm -r "$MAS_DATA"
  done
  rm "$served"/*.gz
  PATH=$PWD/bin "$fetch/mnist.sh" 2>err && false
  [[ $(tail -n 1 err) == "mnist.sh: train-images-idx3-ubyte.gz: not to be had from "*"ERROR 404"* ]]
  [ -z "$(ls -A "$MAS_DATA")" ]
}

@test "cifar10 and cifar100" {
  trust
  mkdir cifar-10-batches-bin cifar-100-binary
  for batch in data_batch_1 data_batch_2 test_batch; do head -c 30730 /dev/zero >cifar-10-batches-bin/$batch.bin; done
  tar -czf "$served/cifar-10-binary.tar.gz" cifar-10-batches-bin
  fetches cifar10
  holds cifar10 20 1
  holds cifar10,split=test 10 1
  rm -r "$MAS_DATA"
  head -c 15370 /dev/zero >cifar-100-binary/train.bin
  head -c 6148 /dev/zero >cifar-100-binary/test.bin
  tar -czf "$served/cifar-100-binary.tar.gz" cifar-100-binary
  fetches cifar100
  holds cifar100 5 1
  holds cifar100,split=test 2 1
}

@test "flowers" {
  need_module scipy
  trust
  photos jpg image_0000{1,2,3,4,5,6,7,8}.jpg
  tar -czf "$served/102flowers.tgz" jpg
  (cd "$served" && /usr/bin/python3 -) <<'P'
from numpy import array, uint8, uint16
from scipy.io import savemat
savemat("imagelabels.mat", {"labels": array([[102, 1, 102, 1, 12, 12, 12, 102]], uint8)})
savemat("setid.mat", {"trnid": array([[1, 2]], uint16), "valid": array([[4, 5]], uint16), "tstid": array([[3, 6, 8]], uint16)})
P
  fetches flowers
  holds flowers 4 3
  grep -q '"name": "colt.s foot"' json
  holds flowers,split=test 3 2
  diff - "$MAS_DATA/flowers/train.csv" <<'CSV'
jpg/image_00001.jpg,blackberry lily
jpg/image_00002.jpg,pink primrose
jpg/image_00004.jpg,pink primrose
jpg/image_00005.jpg,colt's foot
CSV
}

@test "scenes" {
  trust
  photos Images/bar a.jpg "b, c.jpg" d.jpg
  photos Images/tv_studio e.jpg f.jpg
  tar -cf "$served/indoorCVPR_09.tar" Images
  # Lists of the size that is checked; blank lines are none.
  list() { { printf '%s\n' "$@"; yes ''; } 2>/dev/null | head -c "$size" >"$served/$file"; }
  echo bar/a.jpg >"$served/TrainImages.txt"
  refuses "TrainImages.txt: has 10 bytes, not 172080, so nothing is kept" scenes
  size=172080 file=TrainImages.txt list bar/a.jpg "bar/b, c.jpg" tv_studio/e.jpg || true
  size=43475 file=TestImages.txt list bar/d.jpg tv_studio/f.jpg || true
  fetches scenes
  holds scenes 3 2
  grep -q '"name": "tv_studio"' json
  holds scenes,split=test 2 2
}

@test "birds" {
  trust
  photos CUB_200_2011/images/001.Auk a.jpg b.jpg c.jpg
  photos CUB_200_2011/images/002.Tit d.jpg e.jpg
  printf '%s\n' "1 001.Auk/a.jpg" "2 001.Auk/b.jpg" "3 001.Auk/c.jpg" "4 002.Tit/d.jpg" "5 002.Tit/e.jpg" >CUB_200_2011/images.txt
  printf '%s\n' "1 0" "2 1" "3 1" "4 1" "5 0" >CUB_200_2011/train_test_split.txt
  echo >attributes.txt
  tar -czf "$served/CUB_200_2011.tgz" attributes.txt CUB_200_2011
  fetches birds
  holds birds 3 2
  grep -q '"name": "001.Auk"' json
  holds birds,split=test 2 2
}

@test "cars" {
  need_module scipy
  trust
  photos cars_train 00001.jpg 00002.jpg 00003.jpg
  photos cars_test 00001.jpg 00002.jpg
  mkdir devkit
  /usr/bin/python3 - <<'P'
from numpy import array, uint8
from scipy.io import savemat
def notes(labels):
    box = [("bbox_" + side, object) for side in ("x1", "y1", "x2", "y2")]
    rows = [(1, 2, 3, 4, uint8(label), f"{n:05d}.jpg") for n, label in enumerate(labels, 1)]
    return {"annotations": array([rows], box + [("class", object), ("fname", object)])}
savemat("devkit/cars_meta.mat", {"class_names": array([["Ram C/V Van 2012", "Audi A5, coupe"]], object)})
savemat("devkit/cars_train_annos.mat", notes([2, 1, 2]))
savemat("cars_test_annos_withlabels.mat", notes([1, 2]))
P
  mv cars_test_annos_withlabels.mat "$served"
  tar -czf "$served/cars_train.tgz" cars_train
  tar -czf "$served/cars_test.tgz" cars_test
  tar -czf "$served/car_devkit.tgz" devkit
  fetches cars
  holds cars 3 2
  grep -q '"name": "Audi A5, coupe"' json
  grep -q '"name": "Ram C/V Van 2012"' json
  holds cars,split=test 2 2
}

@test "aircraft" {
  trust
  photos fgvc-aircraft-2013b/data/images 0000001.jpg 0000002.jpg 0000003.jpg 0000004.jpg
  cd fgvc-aircraft-2013b/data
  printf '%s\n' "0000001 Boeing 717" "0000003 F/A-18" >images_variant_trainval.txt
  printf '%s\n' "0000004 F/A-18" "0000002 Boeing 717" >images_variant_test.txt
  cd ../..
  tar -czf "$served/fgvc-aircraft-2013b.tar.gz" fgvc-aircraft-2013b
  fetches aircraft
  holds aircraft 2 2
  grep -q '"name": "Boeing 717"' json
  holds aircraft,split=test 2 2
}

@test "actions: a picture of each person who does one thing" {
  need_module PIL
  trust
  voc=VOCdevkit/VOC2012
  mkdir -p $voc/Annotations $voc/ImageSets/Action
  photos $voc/JPEGImages 1.jpg 2.jpg 3.jpg
  echo 1 >$voc/ImageSets/Action/train.txt
  printf '2\n3\n' >$voc/ImageSets/Action/val.txt
  box='<bndbox><xmin>2</xmin><ymin>1.5</ymin><xmax>5</xmax><ymax>3</ymax></bndbox>'
  person() { echo "<object><name>person</name>$box<actions><jumping>$1</jumping><other>$2</other></actions></object>"; }
  echo "<annotation>$(person 1 0)$(person 1 1)$(person 0 1)</annotation>" >$voc/Annotations/1.xml
  echo "<annotation><object><name>dog</name>$box</object>$(person 1 0)</annotation>" >$voc/Annotations/2.xml
  echo "<annotation>$(person 0 1)</annotation>" >$voc/Annotations/3.xml
  tar -cf "$served/VOCtrainval_11-May-2012.tar" VOCdevkit
  fetches actions
  holds actions 2 2
  holds actions,split=test 2 2
  mas-data actions | grep -q "^shape  *3x3x4 "
  [ "$(cd "$MAS_DATA/actions" && find . -type f | sort | tr '\n' ' ')" = \
    "./test/jumping/2_2.jpg ./test/other/3_1.jpg ./train/jumping/1_1.jpg ./train/other/1_3.jpg " ]
}

@test "letters" {
  trust
  for folder in English/Img/GoodImg/Bmp English/Img/BadImag/Bmp; do
    photos $folder/Sample001 img001-00001.png img001-00002.png
    photos $folder/Sample062 img062-00001.png
    cp -r $folder ${folder%Bmp}Msk
  done
  mkdir ListsTXT
  cat >ListsTXT/list_English_Img.m <<'M'
list.ALLlabels = [1
1
62
62
];
list.ALLnames = ['GoodImg/Bmp/Sample001/img001-00001'
'GoodImg/Bmp/Sample001/img001-00002'
'GoodImg/Bmp/Sample062/img062-00001'
'BadImag/Bmp/Sample062/img062-00001'
];
list.NUMclasses = 62;
list.TSTind = [2 2
4 4
];
list.TRNind = [1 1
0 3
];
M
  tar -czf "$served/ListsTXT.tgz" ListsTXT
  tar -czf "$served/EnglishImg.tgz" English
  fetches letters
  holds letters 2 2
  grep -q '"name": "z"' json
  holds letters,split=test 2 2
  holds letters/all.csv 4 2
  [ -z "$(find "$MAS_DATA" -name Msk)" ]
}

@test "svhn" {
  need_module scipy
  need_module h5py
  trust
  (cd "$served" && /usr/bin/python3 -) <<'P'
from numpy import array, arange, uint8
from scipy.io import savemat
pixels = (arange(3072 * 4) % 251).astype(uint8).reshape(32, 32, 3, 4)
savemat("train_32x32.mat", {"X": pixels, "y": array([[10], [1], [9], [1]], uint8)})
savemat("test_32x32.mat", {"X": pixels[..., :2], "y": array([[1], [10]], uint8)})
P
  fetches svhn
  holds svhn 4 3
  holds svhn,split=test 2 2
  mas-data svhn | grep -q "^shape  *3x32x32 (bytes"
  mas-data svhn | grep -qE "^first labels  *0 1 9 1"
  [ "$(h5dump -d '/images[1,2,3,4;1,1,1,1]' "$MAS_DATA/svhn/train.h5" | sed -n 's/.*(1,2,3,4): //p')" -eq $((((3 * 32 + 4) * 12 + 9) % 251)) ]
}

@test "omniglot" {
  command -v unzip >/dev/null || skip "needs unzip"
  need_shared
  REAL=small1.zip trust
  for part in background evaluation; do
    for character in Greek/character01 Greek/character02 Tibetan/character01; do
      photos images_$part/$character 1.png 2.png
    done
    /usr/bin/python3 -m zipfile -c "$served/images_$part.zip" images_$part
  done
  cp "$shared/datasets/omniglot/images_background_small1.zip" "$served"
  fetches omniglot
  holds omniglot 6 3
  grep -q '"name": "Greek/character02"' json
  holds omniglot/evaluation.csv 6 3
  holds omniglot/small1.csv 2720 136
  holds omniglot/images_background/Greek 4 2
  fails 1 "mas-data: *omniglot: no test part*split=0.8*" mas-data omniglot,split=test
}
