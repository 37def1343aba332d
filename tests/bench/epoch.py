#!/usr/bin/python3
"""The loop that people write by hand, for comparison with an epoch of mas-train: MNIST in memory, MLP 784-400-400-10 with
ReLU, Adam 1e-3, batch 128, cross entropy, shuffled; with "penalty", lambda * sum(omega * (w - anchor)^2) over the layers
before the last is added to the loss. Prints seconds for each epoch.

    epoch.py MNIST_FOLDER [EPOCHS] [THREADS] [penalty]        needs Debian's python3-torch
"""
import gzip
import sys
import time

import numpy as np
import torch
from torch import nn

folder, epochs, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4, int(sys.argv[3]) if len(sys.argv) > 3 else 2
torch.set_num_threads(threads)
torch.manual_seed(0)


def idx(name, skip):
    return np.frombuffer(gzip.open(f"{folder}/{name}.gz").read(), np.uint8)[skip:].copy()


x = torch.from_numpy(idx("train-images-idx3-ubyte", 16).reshape(-1, 784)).float() / 255
y = torch.from_numpy(idx("train-labels-idx1-ubyte", 8)).long()
net = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 10))
penalised = [(p, torch.rand_like(p), p.detach().clone()) for p in net[:-1].parameters()] if "penalty" in sys.argv else []
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(epochs):
    begin = time.time()
    order = torch.randperm(len(x))
    for i in range(0, len(x), 128):
        rows = order[i:i + 128]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        for p, omega, anchor in penalised:
            loss = loss + 0.1 * (omega * (p - anchor) ** 2).sum()
        loss.backward()
        optimizer.step()
    print(f"{time.time() - begin:.3f}", flush=True)
