#!/usr/bin/python3
"""Exact importance of large and small networks beside plain passes, ours and python3-torch's, and beside what people use
today: writes networks.json and networks.md. Wants a machine that does nothing else, and half an hour.

    networks.py BUILD_FOLDER OUTPUT_FOLDER [THREADS ...]        data/results holds such a pair
"""
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
build, out = sys.argv[1], sys.argv[2]
threads = [int(t) for t in sys.argv[3:]] or [2, 1]
networks = ["mlp:128", "convnet:128", "lenet:128", "transformer:16", "alexnet:128", "vgg16:8", "resnet18:32", "resnet18:128"]
few = networks[:-1]  # on one thread
passive = dict(os.environ, OMP_WAIT_POLICY="passive")


def bench(*options):
    command = [f"{build}/tests/bench/bench_importance", "--allocator", *options]
    return subprocess.run(command, env=passive, check=True, stdout=subprocess.PIPE, text=True).stdout


def ours(names, count):
    file = os.path.join(out, f"networks-{count}.json")
    bench("--networks", ",".join(names), "--threads", str(count), "--json", file, "--seconds", "10")
    with open(file, encoding="utf-8") as f:
        report = json.load(f)
    os.remove(file)
    return report


def theirs(name, count):
    network, batch = name.split(":")
    command = ["/usr/bin/python3", f"{here}/plain.py", network, batch, str(count), "3"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def row(mine, other):
    exact, plain = mine["ms"]["exact"], mine["ms"][mine["plain"]]

    def ratio(value, base):
        return "" if value is None else f"{value / base:.2f}"
    kinds = [mine["ms"].get(k) for k in ("exact", "fisher", "fisher, empirical", "batch", "loop")]
    python = [ratio(exact, other["plain"])] + [ratio(other[k], other["plain"]) for k in ("loop", "vmap", "expanded")]
    return [mine["network"], f"{plain:.1f}"] + [ratio(k, plain) for k in kinds] + [f"{other['plain']:.1f}"] + python


def table(head, rows):
    return "\n".join(["| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows]]) + "\n"


result, page = {"threads": {}}, ["# Networks\n", "`tests/bench/networks.py`; what each column is, below.\n"]
for count in threads:
    names = networks if count > 1 else few
    report = ours(names, count)
    report["python3-torch"] = [theirs(n, count) for n in names]
    result["threads"][count] = report
    rows = [row(m, o) for m, o in zip(report["networks"], report["python3-torch"])]
    page.append(f"## {count} thread{'s' if count > 1 else ''}, {report['cpu'].split()[0]}\n")
    page.append(table(["network, batch", "plain, ms", "exact", "Fisher exact", "empirical", "batch:N", "loop", "python plain, ms",
                       "exact over it", "its loop", "vmap", "ExpandedWeights"], rows))
page.append("## Peak memory of the process, MB\n")
peaks = []
for n in networks[:-1]:
    plain, exact = (int(bench("--networks", n, "--peak", kind)) for kind in ("plain", "exact"))
    peaks.append([n, str(plain), str(exact), f"{exact / plain:.2f}"])
result["peak_mb"] = {p[0]: {"plain": int(p[1]), "exact": int(p[2])} for p in peaks}
page.append(table(["network, batch", "plain", "exact", "ratio"], peaks))
page.append("""## The columns

- plain: forward, loss, backward of a batch in LibTorch, in the better memory format, with the allocator that the tools set.
- exact ... loop: mas-importance's estimators over that, for the same batch; Fisher exact walks back once a class.
- python plain: the same pass in python3-torch as it comes; exact over it: ours over theirs.
- its loop, vmap, ExpandedWeights: exact per-sample gradients in python3-torch, over its plain pass; empty: refuses the network.
- Peak memory: six passes and the sums in double at the end, self-check included.
""")
with open(os.path.join(out, "networks.json"), "w", encoding="utf-8") as f:
    json.dump(result, f, indent=1)
with open(os.path.join(out, "networks.md"), "w", encoding="utf-8") as f:
    f.write("\n".join(page))
