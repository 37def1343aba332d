"""Judges importance files: one sample at a time, in float64, by PyTorch's autograd over a network written out by hand.

    oracle.py IMAGES.h5 MODEL.h5...     models of scenario domain that differ in their importance alone

Prints the largest error over the largest value, of all tensors, for each model; fails above 1e-5.
"""
import sys

from mlp_oracle import features, importance_sums, load, read_samples  # first: exits without torch
import h5py
import torch
import torch.nn.functional as F


def mlp(w, x):
    return F.linear(features(w, x), w["head.weight"], w["head.bias"])


def convnet(w, x):
    x = F.relu(F.conv2d(x, w["conv1.weight"], w["conv1.bias"]))
    x = F.relu(F.conv2d(x, w["conv2.weight"], w["conv2.bias"]))
    return F.linear(F.max_pool2d(x, 2).flatten(1), w["head.weight"], w["head.bias"])


images, *models = sys.argv[1:]
torch.set_num_threads(1)  # one sample is too little to share
x, _ = read_samples(images)
w, _ = load(models[0])
want = importance_sums(convnet if "conv1.weight" in w else mlp, w, x, "mas")

failed = False
for model in models:
    with h5py.File(model, "r") as f:
        assert f["importance"].attrs["count"] == len(x)
        assert set(f["importance/sum"]) == set(want)
        error = max(float((torch.from_numpy(f["importance/sum"][name][:]) - value).abs().max() / value.abs().max())
                    for name, value in want.items())
    print(f"{model}: {len(x)} samples, {len(want)} tensors, error {error:.1e} of the largest value")
    failed |= not error <= 1e-5
sys.exit(failed)
