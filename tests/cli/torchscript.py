"""Modules and data for torchscript.bats, made and judged by PyTorch.

    torchscript.py make DIR         net.pt (scripted), traced.pt, double.pt, tokens.pt and what can't be used; data.h5 (labels 0 to 3),
                                    unlabelled.h5, ids.h5
    torchscript.py same A.pt B.pt INPUTS.h5       the same outputs within 1e-6
    torchscript.py outputs NET.pt INPUTS.h5       prints the mean of the outputs
"""
import sys

try:
    import h5py
    import numpy as np
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)


class Net(nn.Module):
    """What a PyTorch user has: batch norm, dropout, layers with names."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(64, 4)

    def forward(self, x):
        return self.fc(self.drop(self.pool(self.stem(x)).flatten(1)))


class TwoInputs(nn.Linear):
    def forward(self, x, mask):
        return nn.functional.linear(x, self.weight) * mask


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 4)

    def forward(self, x):
        return self.fc(x.flatten(1)), x


def make(folder):
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    net = Net()
    with torch.no_grad():
        net(torch.randn(50, 1, 8, 8) * 2 + 1)  # statistics of batch norm that are not 0 and 1
    script = lambda module: torch.jit.script(module)
    modules = {"net": script(net), "traced": torch.jit.trace(net.eval(), torch.randn(2, 1, 8, 8)),
               "double": script(Net().double()), "tokens": script(nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(15, 4))),
               "wide": script(nn.Sequential(nn.Flatten(), nn.Linear(99, 4))), "two-inputs": script(TwoInputs(64, 4)),
               "pair": script(Pair()), "half": script(nn.Linear(8, 4).half()), "frozen": torch.jit.freeze(script(Net().eval()))}
    for name, module in modules.items():
        module.save(f"{folder}/{name}.pt")
    torch.save(net.state_dict(), f"{folder}/weights.pt")
    torch.save(nn.Linear(3, 4), f"{folder}/object.pt")
    images, labels = rng.random((120, 1, 8, 8), np.float32), rng.integers(0, 4, 120)
    with h5py.File(f"{folder}/data.h5", "w") as f:
        f["images"], f["labels"] = images + labels[:, None, None, None] / 4, labels
    with h5py.File(f"{folder}/unlabelled.h5", "w") as f:
        f["images"] = images
    with h5py.File(f"{folder}/ids.h5", "w") as f:
        f["images"] = rng.integers(0, 9, (40, 5))


def outputs(path, data):
    net = torch.jit.load(path).eval()
    with h5py.File(data, "r") as f, torch.no_grad():
        return net(torch.from_numpy(f["images"][:]))


if sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "same":
    a, b = (outputs(path, sys.argv[4]) for path in sys.argv[2:4])
    error = float((a - b).abs().max() / b.abs().max())
    print(f"{tuple(a.shape)}, error {error:.1e} of the largest output")
    sys.exit(a.shape != b.shape or not error <= 1e-6)
elif sys.argv[1] == "outputs":
    print(f"{float(outputs(*sys.argv[2:4]).mean()):.6f}")
