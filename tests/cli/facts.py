"""Independent checks of what is said of facts: facts.py NET.pt DATA.h5 prints the mean average precision of retrieval, facts.py
NET.pt DATA.h5 SEARCHED.h5 that of its facts among the other's pictures, and
facts.py NET.pt DATA.h5 OMEGA.npz METHOD compares importance with one-sample float64 gradients."""
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F


def read(path):
    with h5py.File(path) as file:
        x = torch.tensor(file["images"][:], dtype=torch.float32) / 255
        return x, file["labels"][:], file["vectors"][:]


def mean_average_precision(net, asked_labels, asked_vectors, x, labels, vectors):
    with torch.no_grad():
        y = net(x).double().numpy()
    values = []
    for asked in asked_vectors[np.unique(asked_labels)]:
        has = ~np.isnan(asked)
        distances = ((y[:, has] - asked[has]) ** 2).sum(1)
        relevant = np.array([np.array_equal(vectors[own][has], asked[has]) for own in labels])
        value = before = 0.0
        for threshold in np.unique(distances):
            taken = distances <= threshold
            recall = relevant[taken].sum() / relevant.sum()
            value += (recall - before) * relevant[taken].mean()
            before = recall
        values.append(value)
    return np.mean(values)


def forward(w, x):
    """The architecture `facts`, from its page."""
    for name in ("conv1", "conv2", "conv3"):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[name + ".weight"], w[name + ".bias"], padding=1)), 2)
    x, parts = x.flatten(1), []
    for i, name in enumerate(("subject", "predicate", "object")):
        part = F.relu(F.linear(x, w[name + ".weight"], w[name + ".bias"]))
        parts.append(F.linear(part, w[f"vectors.{i}.weight"], w[f"vectors.{i}.bias"]))
    return torch.cat(parts, 1)


def importance(net, x, labels, vectors, method):
    parameters = {name: p.detach().double().requires_grad_(True) for name, p in net.named_parameters()}
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for sample, label in zip(x.double(), labels):
        y = forward(parameters, sample[None])[0]
        if method == "mas":
            objectives = [y.square().sum()]
        elif method == "exact":  # of a normal distribution with variance 1/2
            objectives = [2**0.5 * one for one in y]
        else:  # empirical
            wanted = torch.tensor(vectors[label]).double()
            objectives = [-(y - wanted)[~wanted.isnan()].square().sum()]
        for objective in objectives:
            gradients = torch.autograd.grad(objective, list(parameters.values()), retain_graph=True)
            for name, g in zip(parameters, gradients):
                sums[name] += g.abs() if method == "mas" else g.square()
    return {name: total / len(x) for name, total in sums.items()}


net = torch.jit.load(sys.argv[1]).eval()
x, labels, vectors = read(sys.argv[2])
if len(sys.argv) <= 4:
    print(repr(float(mean_average_precision(net, labels, vectors, *read(sys.argv[-1])))))
else:
    want = importance(net, x, labels, vectors, sys.argv[4])
    with np.load(sys.argv[3]) as got:
        assert set(got.files) == set(want), (got.files, list(want))
        for name, value in want.items():
            value = value.numpy()
            off = np.abs(got[name] - value).max() / max(np.abs(value).max(), 1e-30)
            assert off < 1e-5, (name, off)
    print("equal")
