#!/usr/bin/env bash
# Fetches Oxford Flowers 102 (345 MB) into ${MAS_DATA:-~/.local/share/mas}/flowers and checks it: 2040 pictures to train with
# (the published training and validation parts together) and 6149 to test, of 102 classes. By Maria-Elena Nilsback and Andrew
# Zisserman; no licence is known to be stated. The checksums are those of TensorFlow Datasets, which has the classes' names
# too: the set itself has numbers. MAS_FETCH_FROM names a mirror.
set -euo pipefail
# shellcheck source=data/fetch/common.sh
. "$(dirname "$0")/common.sh"

title="Oxford Flowers 102" terms="none stated" unpacked=370000000 needs=(python3-scipy)
arrange() {
  unpack 102flowers.tgz
  "$python" - <<'P'
import scipy.io

names = """pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily, moon orchid,
bird of paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea, spear thistle, yellow iris, globe-flower,
purple coneflower, peruvian lily, balloon flower, giant white arum lily, fire lily, pincushion flower, fritillary, red ginger,
grape hyacinth, corn poppy, prince of wales feathers, stemless gentian, artichoke, sweet william, carnation, garden phlox,
love in the mist, mexican aster, alpine sea holly, ruby-lipped cattleya, cape flower, great masterwort, siam tulip,
lenten rose, barbeton daisy, daffodil, sword lily, poinsettia, bolero deep blue, wallflower, marigold, buttercup,
oxeye daisy, common dandelion, petunia, wild pansy, primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium,
orange dahlia, pink-yellow dahlia?, cautleya spicata, japanese anemone, black-eyed susan, silverbush, californian poppy,
osteospermum, spring crocus, bearded iris, windflower, tree poppy, gazania, azalea, water lily, rose, thorn apple,
morning glory, passion flower, lotus, toad lily, anthurium, frangipani, clematis, hibiscus, columbine, desert-rose,
tree mallow, magnolia, cyclamen, watercress, canna lily, hippeastrum, bee balm, ball moss, foxglove, bougainvillea, camellia,
mallow, mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily""".replace("\n", " ").split(", ")
labels = scipy.io.loadmat("imagelabels.mat")["labels"][0]
parts = scipy.io.loadmat("setid.mat")
for part, keys in {"train": ["trnid", "valid"], "test": ["tstid"]}.items():
    with open(part + ".csv", "w") as out:
        for number in (number for key in keys for number in parts[key][0]):
            print(f"jpg/image_{number:05d}.jpg,{names[labels[number - 1] - 1]}", file=out)
P
}
fetch_set flowers https://www.robots.ox.ac.uk/~vgg/data/flowers/102 arrange <<'FILES'
4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d 502 imagelabels.mat
46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd 14989 setid.mat
2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246 344862509 102flowers.tgz
FILES
