#!/usr/bin/env bash
# Fetches Chars74K's English characters in photographs (some 128 MB) into ${MAS_DATA:-~/.local/share/mas}/letters and checks them: 62
# classes, 0-9, A-Z and a-z. train.csv and test.csv are the last of the published splits, a few pictures of each class; all.csv
# has all 7705, for shares of one's own (letters/all.csv,split=0.9). By Teofilo de Campos, Bodla Rakesh Babu and Manik Varma,
# who ask whoever uses them to name the source and cite them (VISAPP 2009). The checksums are the MD5 sums in pytorch-ood.
# MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="Chars74K, English characters in photographs" terms="cite the authors" unpacked=150000000 needs=(python3)
arrange() {
  unpack ListsTXT.tgz
  unpack EnglishImg.tgz
  find English -type d -name Msk -exec rm -r {} +
  "$python" - <<'P'
import glob, re, string

text = open(glob.glob("**/list_English_Img.m", recursive=True)[0]).read()
def rows(name):
    return re.search(r"list\." + name + r"\s*=\s*\[(.*?)\]", text, re.S)[1].replace(";", "\n").split("\n")
names = re.findall(r"'\s*(.*?)\s*'", "\n".join(rows("ALLnames")))
labels = [int(row) for row in rows("ALLlabels") if row.strip()]
classes = string.digits + string.ascii_uppercase + string.ascii_lowercase
def split(name):  # a column each, numbers from 1, and 0 where it is shorter than others
    return [int(row.split()[-1]) for row in rows(name) if row.strip() and int(row.split()[-1]) > 0]
for part, numbers in {"train": split("TRNind"), "test": split("TSTind"), "all": range(1, len(names) + 1)}.items():
    with open(part + ".csv", "w") as out:
        for number in numbers:
            print(f"English/Img/{names[number - 1]}.png,{classes[labels[number - 1] - 1]}", file=out)
P
}
fetch_set letters http://www.ee.surrey.ac.uk/CVSSP/demos/chars74k arrange <<'FILES'
7d7b8038b3c47bf2a1c5a80c1dd79a0d 0 ListsTXT.tgz
85d157e0c58f998e1cda8def62bcda0d 127900000 EnglishImg.tgz
FILES
