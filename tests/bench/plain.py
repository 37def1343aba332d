#!/usr/bin/python3
"""What people have today, for comparison with bench_importance: python3-torch as it comes. Milliseconds of a plain pass
over a batch (forward, loss, backward), of a training step (Adam), and of exact per-sample gradients by a loop over
samples, by functorch's vmap and by ExpandedWeights, the latter over a few samples, for one whole batch.

    plain.py NETWORK BATCH [THREADS] [RUNS]        mlp, convnet, lenet, alexnet, vgg16, resnet18, transformer

One line of JSON. Needs Debian's python3-torch. Networks as in networks.cpp.
"""
import json
import statistics
import sys
import time

import torch
from torch import nn

name, batch = sys.argv[1], int(sys.argv[2])
threads, runs = int(sys.argv[3]) if len(sys.argv) > 3 else 2, int(sys.argv[4]) if len(sys.argv) > 4 else 5
torch.set_num_threads(threads)
torch.manual_seed(1711)


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(),
                                  nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
        self.shortcut = nn.Identity() if stride == 1 and i == o else nn.Sequential(
            nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 256)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(256, 4, 1024), 4)
        self.head = nn.Linear(256, 10)
        self.position = nn.Parameter(torch.randn(64, 1, 256))

    def forward(self, ids):
        return self.head(self.encoder(self.embedding(ids.t()) + self.position).mean(0))


def vgg16():
    layers, i = [], 3
    for o in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        layers += [nn.Conv2d(i, o, 3, 1, 1), nn.ReLU()] if o else [nn.MaxPool2d(2)]
        i = o or i
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
                         nn.Linear(4096, 1000))


def network():
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 10))
    if name == "convnet":
        return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(9216, 10))
    if name == "lenet":
        return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                             nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                             nn.Linear(84, 10))
    if name == "alexnet":
        return nn.Sequential(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2),
                             nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
                             nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
                             nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096),
                             nn.ReLU(), nn.Linear(4096, 1000))
    if name == "vgg16":
        return vgg16()
    if name == "resnet18":
        return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                             Block(64, 64, 1), Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1), Block(128, 256, 2),
                             Block(256, 256, 1), Block(256, 512, 2), Block(512, 512, 1), nn.AdaptiveAvgPool2d(1),
                             nn.Flatten(), nn.Linear(512, 1000))
    return Transformer()


net = network().eval()
small, sequence = name in ("mlp", "convnet", "lenet"), name == "transformer"
x = torch.randint(0, 1000, (batch, 64)) if sequence else torch.randn((batch, 1, 28, 28) if small else (batch, 3, 224, 224))
classes = 10 if small or sequence else 1000
y = torch.randint(0, classes, (batch,))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-9)


def plain():
    net.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(net(x), y).backward()


def step():
    plain()
    optimizer.step()


few = min(batch, 8)


def loop():
    for i in range(few):
        for g in torch.autograd.grad((net(x[i:i + 1]) ** 2).sum(), list(net.parameters())):
            g.abs()


def vmap():
    import functorch
    f, parameters, buffers = functorch.make_functional_with_buffers(net)

    def loss(p, b, one):
        return (f(p, b, one.unsqueeze(0)) ** 2).sum()
    for g in functorch.vmap(functorch.grad(loss), (None, None, 0))(parameters, buffers, x[:few]):
        g.abs().sum(0)


def expanded():
    from torch.nn.utils._per_sample_grad import call_for_per_sample_grads
    for p in net.parameters():
        p.grad_sample = None
    (call_for_per_sample_grads(net, batch_size=few)(x[:few]) ** 2).sum().backward()
    for p in net.parameters():
        p.grad_sample.abs().sum(0)


def milliseconds(work, count, scale=1.0):
    try:
        work()
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
        return round(1e3 * scale * statistics.median(times), 3)
    except Exception as error:  # not every network is taken by every way
        print(f"{name}: {work.__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
        return None


whole = batch / few
print(json.dumps({"network": f"{name}:{batch}", "threads": threads, "plain": milliseconds(plain, runs),
                  "step": milliseconds(step, runs), "loop": milliseconds(loop, 2, whole),
                  "vmap": milliseconds(vmap, 2, whole), "expanded": milliseconds(expanded, 2, whole)}))
