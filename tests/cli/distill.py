"""Judges one step of sgd with --distill by PyTorch's autograd in float64, over a network written out by hand.

    distill.py IMAGES.h5 OLD.h5 START.h5 NEXT.h5 LR TEMPERATURE WEIGHT CODE-WEIGHT

CODE-WEIGHT is 0 for LwF. The models are an mlp's of any scenario: OLD before its last task, START with the task added, NEXT after one step on all
the images. Prints "loss X distill Y", and fails where a weight moved otherwise than by 1e-4 of the largest move.
"""
import sys

from mlp_oracle import cross_entropy, features, load, outputs, read_samples  # first: exits without torch
import h5py
import torch
import torch.nn.functional as F


def held(w, f, earlier):
    """The outputs that the training keeps: a softmax each."""
    if earlier[0]["scenario"] == "task":
        return [outputs(w, f, task) for task in earlier]
    return [outputs(w, f, earlier[-1])[:, :width]]


def codes(path, f):
    with h5py.File(path, "r") as file:
        for encoder in file.get("encoders", {}).values():
            weight, bias = (torch.from_numpy(encoder[name][:]).double() for name in ("weight", "bias"))
            yield torch.sigmoid(F.linear(f, weight, bias))


images, old, start, after = sys.argv[1:5]
lr, temperature, weight, code_weight = map(float, sys.argv[5:])
x, labels = read_samples(images)
before, earlier = load(old)
w, tasks = load(start)
moved, _ = load(after)
width = before["head.bias"].numel() if "head.bias" in before else 0

w = {name: value.requires_grad_() for name, value in w.items()}
then = [o.detach() for o in held(before, features(before, x), earlier)]
codes_then = list(codes(old, features(before, x)))
assert len(codes_then) == (len(earlier) if code_weight else 0)
f = features(w, x)
loss = cross_entropy(w, f, labels, tasks)
distill = 0
for was, now in zip(then, held(w, f, earlier)):
    p, q = torch.softmax(was / temperature, 1), torch.softmax(now / temperature, 1)
    distill = distill - weight * (p * q.log()).sum(1).mean()
for was, now in zip(codes_then, codes(old, f)):
    distill = distill + code_weight * ((now - was) ** 2).sum(1).mean()
(loss + distill).backward()
print(f"loss {float(loss):.4f} distill {float(distill):.4f}")

steps = {name: -lr * value.grad for name, value in w.items()}
largest = max(float(step.abs().max()) for step in steps.values())
worst = max((float((moved[name] - w[name].detach() - step).abs().max()), name) for name, step in steps.items())
print(f"{len(steps)} tensors, largest step {largest:.2e}, error {worst[0]:.1e} in {worst[1]}")
sys.exit(not worst[0] <= 1e-4 * largest)
