#!/usr/bin/env bash
# Fetches the actions of PASCAL VOC 2012 (2.0 GB) into ${MAS_DATA:-~/.local/share/mas}/actions and checks them: a picture of
# each person, cut out along the annotated box, in a folder for the action: ten, and "other". People who do two things at once
# are left out. The published training part is for training and the validation part for testing, for the labels of the test
# part are not published. By Mark Everingham, Luc Van Gool, Chris Williams, John Winn and Andrew Zisserman; the photographs are
# under Flickr's terms of use. The checksum is the MD5 sum in torchvision. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="PASCAL VOC 2012, actions" terms="Flickr's terms of use" unpacked=2300000000 needs=(python3-pil)
arrange() {
  local voc=VOCdevkit/VOC2012
  unpack VOCtrainval_11-May-2012.tar $voc/Annotations $voc/ImageSets/Action $voc/JPEGImages
  "$python" - $voc <<'P'
import os, sys
import xml.etree.ElementTree as xml
from PIL import Image

voc = sys.argv[1]
for part, published in {"train": "train", "test": "val"}.items():
    for line in open(f"{voc}/ImageSets/Action/{published}.txt"):
        name = line.split()[0]
        picture = Image.open(f"{voc}/JPEGImages/{name}.jpg")
        for number, thing in enumerate(xml.parse(f"{voc}/Annotations/{name}.xml").getroot().iter("object"), 1):
            actions = [action.tag for action in thing.iterfind("actions/*") if int(action.text)]
            if len(actions) != 1:
                continue
            left, top, right, bottom = (int(float(thing.find("bndbox/" + side).text))
                                        for side in ("xmin", "ymin", "xmax", "ymax"))  # from 1, and within the box
            os.makedirs(f"{part}/{actions[0]}", exist_ok=True)
            box = picture.crop((left - 1, top - 1, right, bottom))
            box.save(f"{part}/{actions[0]}/{name}_{number}.jpg", quality=95, subsampling=0)
P
  rm -r VOCdevkit
}
fetch_set actions "http://host.robots.ox.ac.uk/pascal/VOC/voc2012 http://pjreddie.com/media/files" arrange <<'FILES'
6cd6e144f989b92b3379bac3b3de84fd 1999639040 VOCtrainval_11-May-2012.tar
FILES
