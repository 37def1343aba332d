"""Judges importance files: one sample at a time, in float64, by PyTorch's autograd over a network written out by hand.

    oracle.py IMAGES.h5 MODEL.h5...     models of scenario domain that differ in their importance alone

Prints the largest error over the largest value, of all tensors, for each model; fails above 1e-5.
"""
import sys

try:
    import h5py
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)


def mlp(w, x):
    x = x.flatten(1)
    layers = sum(name.startswith("fc") and name.endswith("weight") for name in w)
    for i in range(1, layers + 1):
        x = F.relu(F.linear(x, w[f"fc{i}.weight"], w[f"fc{i}.bias"]))
    return F.linear(x, w["head.weight"], w["head.bias"])


def convnet(w, x):
    x = F.relu(F.conv2d(x, w["conv1.weight"], w["conv1.bias"]))
    x = F.relu(F.conv2d(x, w["conv2.weight"], w["conv2.bias"]))
    return F.linear(F.max_pool2d(x, 2).flatten(1), w["head.weight"], w["head.bias"])


images, *models = sys.argv[1:]
torch.set_num_threads(1)  # one sample is too little to share
with h5py.File(images, "r") as f:
    x = torch.from_numpy(f["images"][:]).double()[:, None] / 255 if f["images"].ndim == 3 else torch.from_numpy(
        f["images"][:]).double() / 255
with h5py.File(models[0], "r") as f:
    w = {name: torch.from_numpy(data[:]).double().requires_grad_() for name, data in f["weights"].items()}
network = convnet if "conv1.weight" in w else mlp
want = {name: torch.zeros_like(value) for name, value in w.items()}
for sample in x:
    y = network(w, sample[None])
    for (name, _), gradient in zip(w.items(), torch.autograd.grad(y.square().sum(), list(w.values()))):
        want[name] += gradient.abs()

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
