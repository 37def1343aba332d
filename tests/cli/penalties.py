"""Judges chains of three trainings by the formulas of the penalty methods' papers, in float64, with PyTorch's autograd and
optimisers over an mlp written out by hand.

    penalties.py train METHOD LAMBDA MODELS CHAIN...     METHOD is mas, ewc, online:GAMMA, si:XI or l2
    penalties.py merge A1,A2,A3 MODELS CHAIN...          incremental moment matching

MODELS is a folder with the tasks' data, data1.h5 to data3.h5, and SCENARIO-fresh.h5: the mlp with all three tasks and initial
weights. CHAIN is a folder called like a scenario, with the models after each task, 1.h5 to 3.h5. Of train, the first two have
importance, a step took all samples, and 2.txt and 3.txt are what mas-train reported; where 2-1.h5, 2-2.h5, ... are there, models
after fewer steps, each step is judged from where the one before led. Options other than LAMBDA are those that the task's record
has. merge judges mean.h5 and mode.h5. Prints the largest error in each file as a share of a tensor's largest value, or move, and
fails where it is large.
"""
import pathlib
import re
import sys

from mlp_oracle import cross_entropy, features, importance_sums, load, outputs, read_samples  # first: exits without torch
import h5py
import torch
import torch.nn.functional as F

failed = False


def judge(what, got, want, scale, tolerance, size=torch.max):
    global failed
    assert set(got) == set(want)
    shares = {}
    for name in want:
        error = size((got[name] - want[name]).abs())
        shares[name] = float(error and error / size(scale[name].abs()))
    worst = max(shares, key=shares.get)
    print(f"{what}: {len(want)} tensors, error {shares[worst]:.1e} in {worst}")
    failed |= not all(share <= tolerance for share in shares.values())


def judge_moves(what, got, want, start, adam=False):
    """Of adam the mean error: it makes whole steps of gradients that are little but rounding."""
    moves = {name: want[name] - start[name] for name in want}
    if adam:
        judge(what, got, want, moves, 1e-3, torch.mean)
    else:
        judge(what, got, want, moves, 1e-4)


def judge_report(path, loss, penalty):
    global failed
    got = re.search(r"epoch (\d+)/\1  loss ([0-9.]+)  penalty ([0-9.]+)", path.read_text())
    print(f"{path}: {got[0]}; wanted {loss:.4f} and {penalty:.4f}")
    failed |= not (abs(float(got[2]) - loss) <= 1e-4 and abs(float(got[3]) - penalty) <= 1e-4)


def copy(w):
    return {name: value.detach().clone() for name, value in w.items()}


def shared(w):
    return {name: value for name, value in w.items() if not name.startswith("heads/")}


def pad(value, like):
    """With zeros for outputs that have come since."""
    return F.pad(value, [0] * (2 * value.ndim - 1) + [len(like) - len(value)])


def begin(fresh, before, after):
    """The weights that a training starts from: those before it, and initial ones for what is new."""
    w = {name: fresh[name][:len(value)].clone() for name, value in after.items()}
    for name, value in before.items():
        w[name][:len(value)] = value
    return w


def penalty_terms(method, parameter, weight, learned, w):
    """(name, Ω, θ*) of the penalty Σ Ω (θ − θ*)², λ within Ω, after tasks that left (Ω, θ)."""
    if method == "l2":
        learned = learned[-1:]
    terms = []
    for age, (omega, theta) in enumerate(reversed(learned)):
        factor = {"ewc": weight / 2, "online": weight / 2 * parameter ** age}.get(method, weight)
        anchor = theta if method == "ewc" else learned[-1][1]
        terms += [(name, factor * pad(value, w[name]), pad(anchor[name], w[name])) for name, value in omega.items()]
    return terms


def penalty(w, terms):
    return sum((omega * (w[name] - anchor) ** 2).sum() for name, omega, anchor in terms)


def pull(w, terms, lr):
    """To the minimum of (θ − w)² / 2lr plus the penalty."""
    for name, value in w.items():
        own = [(omega, anchor) for other, omega, anchor in terms if other == name]
        weighted = value.data + 2 * lr * sum(omega * anchor for omega, anchor in own)
        value.data = weighted / (1 + 2 * lr * sum(omega for omega, _ in own))


def make_optimizer(w, options):
    common = {"lr": options["lr"], "weight_decay": options["weight_decay"]}
    if options["optimizer"] == "adam":
        return torch.optim.Adam(w.values(), **common)
    return torch.optim.SGD(w.values(), momentum=options["momentum"], **common)


def follow(chain, t, begun, terms, x, labels):
    """Judges the training of a task, and returns its last loss and the path −Σ g·Δθ."""
    _, tasks = load(chain / f"{t}.h5")
    options = tasks[-1]["options"]
    w = {name: value.requires_grad_() for name, value in copy(begun).items()}
    path = {name: torch.zeros_like(value) for name, value in begun.items()}
    optimizer = make_optimizer(w, options)
    for step in range(1, options["epochs"] + 1):
        start = copy(w)
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(w, features(w, x), labels, tasks)
        loss.backward()
        gradient = {name: value.grad.clone() for name, value in w.items() if value.grad is not None}
        if terms and options["penalty_step"] == "gradient":
            penalty(w, terms).backward()
        optimizer.step()
        if options["penalty_step"] == "proximal":
            pull(w, terms, options["lr"])
        reached = chain / (f"{t}.h5" if step == options["epochs"] else f"{t}-{step}.h5")
        if reached.exists():
            got, _ = load(reached)
            judge_moves(f"{reached}, weights", got, copy(w), begun, options["optimizer"] == "adam")
            begun = got
            for name, value in copy(got).items():
                w[name].data = value
        for name, g in gradient.items():
            path[name] -= g * (w[name].data - start[name])
    return float(loss), path


def measure(method, w, tasks, x):
    """The importance of shared weights to the last task."""
    def network(some, x):
        return outputs({**w, **some}, features(some, x), tasks[-1])
    return {name: sums / len(x) for name, sums in importance_sums(network, shared(w), x, method).items()}


def path_importance(path, start, end, xi):
    return {name: (path[name] / ((end[name] - start[name]) ** 2 + xi)).clamp_min(0) for name in shared(end)}


def read_importance(path):
    with h5py.File(path, "r") as f:
        count = f["importance"].attrs["count"]
        return {name: torch.from_numpy(data[:]) / count for name, data in f["importance/sum"].items()}


def judge_chain(chain, fresh, data, method, parameter, weight):
    w, learned = {}, []
    for t, (x, labels) in enumerate(data, 1):
        after, tasks = load(chain / f"{t}.h5")
        if learned or method == "si":
            start = begin(fresh, w, after)
            terms = penalty_terms(method, parameter, weight, learned, start)
            loss, path = follow(chain, t, start, terms, x, labels)
            if terms and not (method == "ewc" and t > 2):  # where terms with anchors of their own are made one, a constant is lost
                judge_report(chain / f"{t}.txt", loss, float(penalty(after, terms)))
        if t == len(data):
            return
        w = after
        if method == "si":
            omega = path_importance(path, start, w, parameter)
        elif method == "l2":
            omega = {name: torch.ones_like(value) for name, value in shared(w).items()}
        else:
            omega = measure("mas" if method == "mas" else "ewc", w, tasks, x)
        judge(f"{chain}/{t}.h5, importance", read_importance(chain / f"{t}.h5"), omega, omega, 1e-5)
        learned.append((omega, w))


def judge_merged(chain, data, alpha):
    models = [load(chain / f"{t}.h5") for t in (1, 2, 3)]
    last = models[-1][0]
    mean, mode = copy(last), copy(last)
    fisher = [measure("ewc", w, tasks, x) for (w, tasks), (x, _) in zip(models, data)]
    for name, value in shared(last).items():
        theta = torch.stack([pad(w[name], value) for w, _ in models])
        plain = torch.stack([pad(a * torch.ones_like(w[name]), value) for a, (w, _) in zip(alpha, models)])
        informed = torch.stack([pad(a * f[name], value) for a, f in zip(alpha, fisher)])
        mean[name] = (plain * theta).sum(0) / plain.sum(0)
        mode[name] = torch.where(informed.sum(0) > 0, (informed * theta).sum(0) / informed.sum(0), mean[name])
    for rule, want in (("mean", mean), ("mode", mode)):
        judge_moves(f"{chain}/{rule}.h5", load(chain / f"{rule}.h5")[0], want, last)


torch.set_num_threads(1)  # one sample is too little to share
command, how, *rest = sys.argv[1:]
weight = float(rest.pop(0)) if command == "train" else None
models, *chains = map(pathlib.Path, rest)
data = [read_samples(models / f"data{t}.h5") for t in (1, 2, 3)]
for chain in chains:
    if command == "merge":
        judge_merged(chain, data, [float(a) for a in how.split(",")])
    else:
        method, _, parameter = how.partition(":")
        fresh, _ = load(models / f"{chain.name}-fresh.h5")
        judge_chain(chain, fresh, data, method, float(parameter or 0), weight)
sys.exit(failed)
