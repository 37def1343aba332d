"""Modules and data for torchscript.bats, made and judged by PyTorch.

    torchscript.py make DIR         net.pt (scripted), traced.pt, double.pt, tokens.pt and what can't be used; nested.pt and others
                                    that return several tensors; data.h5 (labels 0 to 3), unlabelled.h5, colours.h5, ids.h5;
                                    several.h5: what their importance on unlabelled.h5 is
    torchscript.py check MODEL.h5 TASK NET.pt     NET.pt, loaded by PyTorch, gives within 1e-6 what PyTorch computes with the
                                                  weights in MODEL.h5: a Net, whole or up to its pooling, or an mlp
    torchscript.py omega GOLDEN.h5 GROUP MODEL.h5 the importance in MODEL.h5 is GROUP's in the golden file within 1e-5 of the
                                                  largest value of each tensor
    torchscript.py frozen NET.pt NAME...          these parameters of NET.pt have requires_grad=False, and no others
"""
import json
import sys
from typing import Any, Dict, List, NamedTuple, Tuple

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


class Several(nn.Module):
    """Networks that return more than one tensor."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, 8)
        self.fc = nn.Linear(8, 4)
        self.aux = nn.Linear(8, 3)

    def hidden(self, x):
        return torch.tanh(self.stem(x.flatten(1)))


class Nested(Several):
    def forward(self, x):
        h = self.hidden(x)
        return self.fc(h), [self.aux(h), h]


class Dictionary(Several):
    def forward(self, x) -> Dict[str, torch.Tensor]:
        h = self.hidden(x)
        return {"logits": self.fc(h), "features": h}


class Outputs(NamedTuple):
    logits: torch.Tensor
    aux: torch.Tensor


class Named(Several):
    def forward(self, x):
        h = self.hidden(x)
        return Outputs(self.fc(h), self.aux(h))


class Untyped(Several):
    def forward(self, x) -> Any:
        h = self.hidden(x)
        return self.fc(h), h


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 5, batch_first=True)
        self.fc = nn.Linear(40, 4)

    def forward(self, x):
        return self.fc(self.lstm(x)[0].flatten(1))


class Partly(Several):
    """stem.weight is frozen, aux is detached."""

    def __init__(self):
        super().__init__()
        self.stem.weight.requires_grad_(False)

    def forward(self, x):
        h = self.hidden(x)
        return self.fc(h) + self.aux(h).mean(1, True).detach()


class Colours(nn.Module):
    """Images of three channels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.PReLU(6))
        self.body = nn.Sequential(nn.Conv2d(6, 8, 3, 2, groups=2, bias=False), nn.GroupNorm(2, 8), nn.Tanh(), nn.MaxPool2d(2))
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(self.drop(self.body(self.stem(x)).flatten(1)))


class Views(Colours):
    """Takes no images whose channels are innermost in memory."""

    def forward(self, x):
        return self.fc(self.body(self.stem(x)).view(-1, 16))


class Endless(nn.Module):
    """Loading it never ends."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 4)
        self.n = 1

    def forward(self, x):
        return self.fc(x.flatten(1))

    @torch.jit.export
    def __getstate__(self):
        return self.fc, self.n, self.training

    @torch.jit.export
    def __setstate__(self, state: Tuple[nn.Linear, int, bool]):
        self.fc, self.n, self.training = state
        while self.n > 0:
            self.n += 0


class Noisy(Several):
    def forward(self, x):
        return self.fc(nn.functional.dropout(self.hidden(x)))  # in eval mode too


class Chatty(Several):
    def forward(self, x):
        print("hello")
        return self.fc(self.hidden(x))


class Numbers(Several):
    def forward(self, x) -> List[int]:
        return x.shape


def omega(net, outputs, images):
    """Per parameter the mean over samples of |d ||outputs||^2 / d parameter|, one sample at a time."""
    total = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    moving = {name: p for name, p in net.named_parameters() if p.requires_grad}
    for x in torch.from_numpy(images):
        gradients = torch.autograd.grad(outputs(net(x[None])).square().sum(), list(moving.values()), allow_unused=True)
        for name, g in zip(moving, gradients):
            if g is not None:
                total[name] += g.abs()
    return {name: (t / len(images)).numpy() for name, t in total.items()}


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
               "nested": script(Nested()), "dictionary": script(Dictionary()), "named": script(Named()), "untyped": script(Untyped()),
               "recurrent": script(Recurrent()), "partly": script(Partly()), "still": script(Net().requires_grad_(False)), "endless": script(Endless()), "numbers": script(Numbers()),
               "colours": script(Colours().eval()), "views": script(Views().eval()), "noisy": script(Noisy()), "chatty": script(Chatty()), "train-traced": torch.jit.trace(Net().train(), torch.randn(4, 1, 8, 8), check_trace=False),
               "half": script(nn.Linear(8, 4).half()), "frozen": torch.jit.freeze(script(Net().eval()))}
    for name, module in modules.items():
        module.save(f"{folder}/{name}.pt")
    torch.save(net.state_dict(), f"{folder}/weights.pt")
    torch.save(nn.Linear(3, 4), f"{folder}/object.pt")
    images, labels = rng.random((120, 1, 8, 8), np.float32), rng.integers(0, 4, 120)
    colours = rng.random((40, 3, 7, 11), np.float32)
    with h5py.File(f"{folder}/several.h5", "w") as f:
        for name, outputs in {"nested-0": lambda y: y[0], "nested-1.0": lambda y: y[1][0], "dictionary-logits": lambda y: y["logits"],
                              "dictionary-features": lambda y: y["features"], "named-aux": lambda y: y.aux, "partly": lambda y: y, "recurrent": lambda y: y,
                              "colours": lambda y: y, "views": lambda y: y}.items():
            inputs = images[:, 0] if name == "recurrent" else colours if name in ("colours", "views") else images
            for parameter, value in omega(modules[name.split("-")[0]], outputs, inputs).items():
                f[f"{name}/{parameter}"] = value
    with h5py.File(f"{folder}/data.h5", "w") as f:
        f["images"], f["labels"] = images + labels[:, None, None, None] / 4, labels
    with h5py.File(f"{folder}/unlabelled.h5", "w") as f:
        f["images"] = images
    with h5py.File(f"{folder}/colours.h5", "w") as f:
        f["images"], f["labels"] = colours, labels[:40]
    with h5py.File(f"{folder}/ids.h5", "w") as f:
        f["images"] = rng.integers(0, 9, (40, 5))


def features(f, arch, x):
    weights = {name: torch.from_numpy(np.asarray(value[()])) for group in ("weights", "buffers") if group in f for name, value in f[group].items()}
    if arch.get("type") != "torchscript":
        x = x.flatten(1)
        for i in range(1, 1 + sum(name.startswith("fc") for name in weights) // 2):
            x = torch.relu(nn.functional.linear(x, weights[f"fc{i}.weight"], weights[f"fc{i}.bias"]))
        return x
    net = Net().eval()
    net.load_state_dict(weights)
    return net.pool(net.stem(x)).flatten(1) if "features" in arch else net(x)


def check(model, task, exported):
    net = torch.jit.load(exported)
    assert not net.training and all(p.requires_grad for p in net.parameters())
    with h5py.File(model, "r") as f, torch.no_grad():
        arch = json.loads(f.attrs["arch"])
        x = torch.rand(7, *arch["input"], generator=torch.Generator().manual_seed(1))
        want, head = features(f, arch, x), f"heads/{task}"
        if head in f:
            want = nn.functional.linear(want, *(torch.from_numpy(f[head][name][()]) for name in ("weight", "bias")))
        got = net(x)
    error = float((got - want).abs().max() / want.abs().max())
    print(f"{exported}: outputs {tuple(got.shape)}, error {error:.1e} of the largest")
    assert got.shape == want.shape and error <= 1e-6
    net.train()
    return net, x


def judge_importance(golden, group, model):
    with h5py.File(golden, "r") as a, h5py.File(model, "r") as b:
        want, got, count = a[group], b["importance/sum"], b["importance"].attrs["count"]
        assert set(want) == set(got) == set(b["weights"])
        for name in want:
            error, largest = np.abs(got[name][()] / count - want[name][()]).max(), np.abs(want[name][()]).max()
            assert error <= 1e-5 * largest, (golden, group, name, error / largest)


if sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "omega":
    judge_importance(*sys.argv[2:5])
elif sys.argv[1] == "frozen":
    assert [name for name, p in torch.jit.load(sys.argv[2]).named_parameters() if not p.requires_grad] == sys.argv[3:]
else:
    net, x = check(*sys.argv[2:5])
    if any(name.endswith("running_mean") for name, _ in net.named_buffers()):
        assert not torch.equal(net(x), net.eval()(x)), "train mode computes what eval mode does"
