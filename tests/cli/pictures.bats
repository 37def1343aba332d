#!/usr/bin/env bats
# Folders and lists of pictures as data.

load helper

setup() {
  sets=$shared/datasets/imagefolder
  cd "$BATS_TEST_TMPDIR" || return
}

need_pictures() { [ -d "$sets" ] || skip "needs ../shared"; }

# photos: two classes of the small pictures, all of one size as they are sized.
make_photos() {
  mkdir -p photos/dark photos/light
  cp "$MAS_SOURCE"/tests/fuzz/corpus-pictures/{colour.jpg,colour.bmp,colour.webp} photos/light
  cp "$MAS_SOURCE"/tests/fuzz/corpus-pictures/{grey.png,progressive.jpg} photos/dark
}

@test "a folder of pictures is described, drawn, converted, learned and tested" {
  make_photos
  silent mas-data photos,size=8 --sheet sheet.png -o photos.h5 >report
  grep -q "^samples  *5$" report
  grep -q "^shape  *3x8x8 (bytes, as 0..1)$" report
  grep -q "^  0  *2  dark$" report
  grep -q "^  1  *3  light$" report
  mas-data photos,size=8 --json | grep -q '"name": "dark"'
  [ -s sheet.png ]
  silent mas-train -q --arch mlp:5 --data photos,size=8,split=0.6 --epochs 1 -o m.h5
  silent mas-importance -q m.h5 -o o.h5
  mas-eval o.h5 | grep -q "^after task1 "
  silent mas-eval o.h5 --data photos,size=8 >/dev/null
  mas-train -q --arch mlp:5 --data photos,size=8 --epochs 1 --no-results -o a.h5
  mas-train -q --arch mlp:5 --data photos.h5 --epochs 1 --no-results -o b.h5
  cmp <(mas-export a.h5 --format npz) <(mas-export b.h5 --format npz)
}

@test "a model knows its pictures again, and other ones from them" {
  make_photos
  mas-train -q --arch mlp:5 --data photos,size=8,normalize=auto --epochs 1 -o m.h5
  silent mas-importance m.h5 -o o.h5 >/dev/null
  cp photos/light/colour.bmp photos/dark
  mas-importance m.h5 -o o.h5 2>&1 | grep -q "isn't what task task1 learned"
}

@test "what can't be used is one line before any work, and touches no file" {
  make_photos
  fails 1 "mas-train: photos/dark/progressive.jpg: 20 x 24 pixels (height x width), but photos/dark/grey.png has 5 x 7; size=N*" \
    mas-train --arch mlp:5 --data photos -o m.h5
  fails 1 "mas-train: photos: no test part (a folder test or val); split=0.8*" mas-train --arch mlp:5 --data photos,size=8,split=test -o m.h5
  fails 1 "mas-data: photos/dark/grey.png: a picture; name its folder, or a list*" mas-data photos/dark/grey.png
  echo text >photos/light/bad.jpg
  fails 1 "mas-train: photos/light/bad.jpg: text, not a picture*" mas-train --arch mlp:5 --data photos,size=8 -o m.h5
  printf 'photos/light/colour.jpg,1\nphotos/light/gone.jpg,0\n' >list.csv
  fails 1 "mas-train: list.csv: line 2: photos/light/gone.jpg: no such file*" mas-train --arch mlp:5 --data list.csv,size=8 -o m.h5
  [ ! -e m.h5 ]
}

@test "a damaged picture says one line and no decoder says another" {
  make_photos
  for file in photos/light/colour.jpg photos/dark/progressive.jpg photos/dark/grey.png photos/light/colour.webp; do
    size=$(stat -c %s "$file")
    cp "$file" sound
    for at in $((size / 2)) $((size - 20)); do
      cp sound "$file"
      printf '\377' | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
      status=0
      mas-data -q photos,size=8 -o x.h5 2>err || status=$?
      [ "$(wc -l <err)" -eq "$status" ] || { cat err; false; }
      [ "$status" -eq 0 ] || [[ $(cat err) == "mas-data: $file: "* ]]
    done
    cp sound "$file"
  done
}

@test "libpng says nothing beside our line" {
  [ -x /usr/bin/python3 ] || skip "needs python3"
  mkdir -p set/class
  cat >make.py <<'P'
import struct, sys, zlib
def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
def png(name, colours, before, rows, depth=8):
    open(name, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, colours, 0, 0, 0))
                           + before + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
palette = chunk(b"PLTE", bytes(6))
png("no-palette", 3, b"", zlib.compress(bytes(3)))
png("two-palettes", 3, palette + palette, zlib.compress(bytes(3)))
png("filter", 2, b"", zlib.compress(b"\x09" + bytes(6)))
png("depth", 2, b"", zlib.compress(bytes(7)), 7)
png("short", 2, b"", zlib.compress(bytes(3)))
png("deflate", 2, b"", b"nonsense")
png("surplus", 2, b"", zlib.compress(bytes(99)))
P
  /usr/bin/python3 make.py
  for file in no-palette two-palettes filter depth short deflate; do
    mv "$file" set/class/x.png
    fails 1 "mas-data: set/class/x.png: damaged PNG: libpng says '*'" mas-data set -o x.h5
  done
  mv surplus set/class/x.png
  silent mas-data set | grep -q "^samples  *1$"
}

@test "each awkward file is read, passed over or refused as its table says, with no other line" {
  need_pictures
  count=0
  while IFS=$'\t' read -r path _ expected _; do
    [ "$path" != path ] || continue
    count=$((count + 1))
    rm -rf one
    mkdir -p one/class
    ln -s "$sets/awkward/$path" one/class/
    cp "$MAS_SOURCE"/tests/fuzz/corpus-pictures/grey.png one/class/
    case $expected in
      decode*) silent mas-data one,size=8 | grep -q "^samples  *2$" ;;
      error*) fails 1 "mas-data: one/class/*: *" mas-data one,size=8 ;;
      skip*)
        case $path in
          *.gif) fails 1 "mas-data: one/class/picture.gif: a GIF, which isn't read*" mas-data one,size=8 ;;
          *.bmp | *root.png) silent mas-data one,size=8 | grep -q "^samples  *2$" ;;
          *) silent mas-data one,size=8 | grep -q "^samples  *1$" ;;
        esac ;;
      *) echo "$path: $expected"; false ;;
    esac || { echo "$path: $expected"; cat err; false; }
  done <"$sets/awkward.tsv"
  [ "$count" -ge 41 ]
  fails 1 "mas-data: $sets/awkward/*: * (the first of * files that can't be used)" mas-data "$sets/awkward,size=8"
}

@test "O-Net's importance over a folder of pictures equals PyTorch's, one sample at a time" {
  need_pictures
  status=0
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/onet.py" make "$shared/models/mtcnn_onet_zip.pt" . || status=$?
  [ "$status" -ne 77 ] || skip "needs python3-torch and python3-h5py"
  data=$sets/clean,size=48x48
  silent mas-importance -q onet.pt --data "$data,normalize=127.5/128" -o omega.h5
  mas-data -q "$data" -o images.h5
  /usr/bin/python3 "$MAS_SOURCE/tests/cli/onet.py" judge onet.pt images.h5 omega.h5
}

@test "decoded pictures are kept in a cache, which trains, measures and tests as the pictures do" {
  make_photos
  mkdir all
  cp -r photos all/train
  cp -r photos all/test
  train=(mas-train -q --arch mlp:5 --epochs 2 --task t)
  silent "${train[@]}" --data all,size=10,crop=8,cache=kept.h5 --augment crop,flip -o a.h5
  [ -s kept.h5 ] && [ -s kept-test.h5 ]
  silent "${train[@]}" --data all,size=10,crop=8 --augment crop,flip -o b.h5
  cmp <(mas-export a.h5 --format npz) <(mas-export b.h5 --format npz)
  silent mas-importance -q a.h5 -o a.h5
  mas-eval a.h5 --json | jq -e '.acc == .accuracy[0][0]'
  mas-data kept.h5 --json | jq -e '.shape == [3, 10, 10]'
  echo mine >mine.h5
  fails 1 "mas-train: mine.h5: is there, but no cache of decoded pictures; *" \
    mas-train --arch mlp:5 --data photos,size=8,cache=mine.h5 -o c.h5
  fails 1 "mas-train: glyphs: cache= is for pictures*" mas-train --arch mlp:5 --data glyphs,cache=kept.h5 -o c.h5
}

@test "a cache is no output of the same command, and lies in no data" {
  make_photos
  silent mas-train -q --arch mlp:5 --data photos,size=8 --epochs 1 --no-results -o m.h5
  for cache in c.h5 ./c.h5; do
    data=photos,size=8,cache=$cache
    cause="is the cache of $data; name another file"
    fails 1 "mas-train: c.h5: $cause" mas-train --arch mlp:5 --data "$data" -o c.h5
    fails 1 "mas-train: c-test.h5: $cause" mas-train --arch mlp:5 --data "$data" -o c-test.h5
    fails 1 "mas-train: c.h5: $cause" mas-train --arch mlp:5 --data "$data" -o x.h5 --checkpoint c.h5
    fails 1 "mas-importance: c.h5: $cause" mas-importance m.h5 --data "$data" -o c.h5
    fails 1 "mas-data: c.h5: $cause" mas-data "$data" -o c.h5
    fails 1 "mas-data: c.h5: $cause" mas-data "$data" --sheet c.h5
  done
  mkdir copy
  fails 1 "mas-data: copy*/train.h5: is the cache of *" mas-data photos,size=8,split=0.5,cache=copy/train.h5 -o copy/
  fails 1 "mas-data: photos/train.h5: lies in the data's own folder, photos, *" mas-data photos,size=8,cache=photos/train.h5
  [ ! -e c.h5 ] && [ ! -e c-test.h5 ] && [ ! -e x.h5 ] && [ ! -e copy/train.h5 ] && [ ! -e photos/train.h5 ]
}

@test "a test part that can't be used is an error before the training" {
  make_photos
  mkdir -p all/test/other
  cp -r photos all/train
  cp photos/dark/grey.png all/test/other
  data=all,size=8,normalize=auto
  train=(mas-train -q --arch mlp:5 --epochs 1 --data "$data")
  fails 1 "mas-train: all/test/other: a class that the training part doesn't have; mend the test part, or leave it out with --no-results" \
    "${train[@]}" -o m.h5 --checkpoint ck.h5
  fails 1 "mas-train: all/test/other: a class that *" "${train[@]}" --data all,size=8 -o m.h5
  [ ! -e m.h5 ] && [ ! -e ck.h5 ]
  silent "${train[@]}" --no-results -o m.h5
  rm -r all/test/other
  cp photos/dark/grey.png all/test
  fails 1 "mas-train: all,size=8: its test part has no labels; mend *" "${train[@]}" -o m.h5
  rm -r all/test
  silent "${train[@]}" -o m.h5
}
