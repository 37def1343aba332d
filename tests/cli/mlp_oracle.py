"""What the oracles share: an mlp written out by hand and its importance, in float64, and what the tools' files hold."""
import json
import sys

try:
    import h5py
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)


def load(path):
    """Weights and heads ("heads/TASK/weight") of a model file, and its tasks."""
    with h5py.File(path, "r") as f:
        w = {name: torch.from_numpy(data[:]).double() for name, data in f["weights"].items()}
        for task, head in f.get("heads", {}).items():
            for name, data in head.items():
                w[f"heads/{task}/{name}"] = torch.from_numpy(data[:]).double()
        return w, json.loads(f["tasks"][()])


def read_samples(path):
    """Images [samples, channels, height, width] from 0 to 1 and labels of a data file of bytes."""
    with h5py.File(path, "r") as f:
        x, labels = torch.from_numpy(f["images"][:]).double() / 255, torch.from_numpy(f["labels"][:]).long()
    return (x[:, None] if x.ndim == 3 else x), labels


def features(w, x):
    x = x.flatten(1)
    for i in range(1, 1 + sum(name.startswith("fc") and name.endswith("weight") for name in w)):
        x = F.relu(F.linear(x, w[f"fc{i}.weight"], w[f"fc{i}.bias"]))
    return x


def outputs(w, f, task):
    head = f"heads/{task['name']}/" if task["scenario"] == "task" else "head."
    return F.linear(f, w[head + "weight"], w[head + "bias"])


def cross_entropy(w, f, labels, tasks):
    """Of the last task, on features."""
    order = tasks[-1]["classes"]
    if tasks[-1]["scenario"] == "class":
        order = list(dict.fromkeys(label for each in tasks for label in each["classes"]))
    targets = torch.tensor([order.index(int(label)) for label in labels])
    return F.nll_loss(F.log_softmax(outputs(w, f, tasks[-1]), 1), targets)


def importance_sums(network, w, x, method):
    """Sums over samples, one at a time: |∂‖y‖²| for mas, Σ p_c (∂ log p_c)² over the classes c for ewc."""
    w = {name: value.detach().requires_grad_() for name, value in w.items()}
    sums = {name: torch.zeros_like(value) for name, value in w.items()}
    for sample in x:
        y = network(w, sample[None])[0]
        scores = [y.square().sum()] if method == "mas" else F.log_softmax(y, 0)
        for score in scores:
            for name, g in zip(w, torch.autograd.grad(score, list(w.values()), retain_graph=True)):
                sums[name] += g.abs() if method == "mas" else score.detach().exp() * g.square()
    return sums
