"""Judges importance files: one sample at a time, in float64, by PyTorch's autograd over a network written out by hand.

    oracle.py IMAGES.h5 MODEL.h5...     models of scenario domain that differ in their importance alone

Prints the largest error over the largest value, of all tensors, for each model; fails above 1e-5. Where a ReLU or a maximum
is so near a tie that float32 decides it otherwise than float64, which happens to a sample in some hundreds, both are right:
what such a sample adds is allowed for.
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


def gradients(network, w, sample):
    w = {name: value.detach().requires_grad_() for name, value in w.items()}
    grads = torch.autograd.grad(network(w, sample[None])[0].square().sum(), list(w.values()))
    return {name: g.double().abs() for name, g in zip(w, grads)}


def near_ties(network, w, x):
    """What samples add whose gradient in float32 isn't that in float64, and how many they are."""
    single = {name: value.float() for name, value in w.items()}
    allowed, count = {name: torch.zeros_like(value) for name, value in w.items()}, 0
    for sample in x:
        a, b = gradients(network, w, sample), gradients(network, single, sample.float())
        if all((a[name] - b[name]).abs().max() <= 1e-4 * a[name].max() for name in w):
            continue
        count += 1
        for name in w:
            allowed[name] += a[name] + b[name]
    return allowed, count


images, *models = sys.argv[1:]
torch.set_num_threads(1)  # one sample is too little to share
x, _ = read_samples(images)
w, _ = load(models[0])
network = convnet if "conv1.weight" in w else mlp
want = importance_sums(network, w, x, "mas")
allowed, ties = near_ties(network, w, x)

failed = ties > 0.01 * len(x)
for model in models:
    with h5py.File(model, "r") as f:
        assert f["importance"].attrs["count"] == len(x)
        assert set(f["importance/sum"]) == set(want)
        error = max(float(((torch.from_numpy(f["importance/sum"][name][:]) - value).abs() - allowed[name]).max() / value.max())
                    for name, value in want.items())
    print(f"{model}: {len(x)} samples, {ties} near a tie, {len(want)} tensors, error {error:.1e} of the largest value")
    failed |= not error <= 1e-5
sys.exit(failed)
