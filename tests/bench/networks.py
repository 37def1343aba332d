#!/usr/bin/python3
"""Exact importance of large and small networks beside plain passes, ours and python3-torch's, and beside what people use
today; training steps, memory and model files: writes networks.json and networks.md. Wants a machine that does nothing
else, and an hour. What was measured before with other numbers of threads stays.

    networks.py BUILD_FOLDER OUTPUT_FOLDER [THREADS ...]        data/results holds such a pair
"""
import datetime
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
build, out = sys.argv[1], sys.argv[2]
threads = [int(t) for t in sys.argv[3:]] or [2, 1]
networks = ["mlp:128", "convnet:128", "lenet:128", "transformer:16", "alexnet:128", "vgg16:8", "resnet18:32", "resnet18:128"]
few = networks[:-1]  # on one thread
steps = {"mlp:128": "mlp:400,400", "alexnet:128": "alexnet", "resnet18:32": "resnet18", "resnet18:128": "resnet18"}
as_tools = dict(os.environ, OMP_WAIT_POLICY="passive", OPENBLAS_THREAD_TIMEOUT="18")  # as tools/launch sets them


def bench(name, *options):
    return subprocess.run([f"{build}/tests/bench/{name}", *options], env=as_tools, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def measured(name, *options):
    """What a benchmark writes as JSON."""
    file = os.path.join(out, "measured.json")
    bench(name, *options, "--json", file)
    with open(file, encoding="utf-8") as f:
        report = json.load(f)
    os.remove(file)
    return report


def ours(names, count):
    report = measured("bench_importance", "--allocator", "--networks", ",".join(names), "--threads", str(count), "--seconds", "10")
    report["steps"] = {}
    for name in (n for n in steps if n in names):
        found = measured("bench_training", "--networks", steps[name], "--batch", name.split(":")[1], "--threads", str(count))
        report["steps"][name] = found["steps"][0]
    return report


def theirs(name, count):
    network, batch = name.split(":")
    command = ["/usr/bin/python3", f"{here}/plain.py", network, batch, str(count), "3"]
    environment = dict(os.environ, OPENBLAS_NUM_THREADS=str(count))  # which torch.set_num_threads leaves alone
    return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


def row(mine, other):
    exact, plain = mine["ms"]["exact"], mine["ms"][mine["plain"]]

    def ratio(value, base):
        return "" if value is None else f"{value / base:.2f}"
    kinds = [mine["ms"].get(k) for k in ("exact", "fisher", "fisher, empirical", "batch", "loop")]
    python = [ratio(exact, other["plain"])] + [ratio(other[k], other["plain"]) for k in ("loop", "vmap", "expanded")]
    return [mine["network"], f"{plain:.1f}"] + [ratio(k, plain) for k in kinds] + [f"{other['plain']:.1f}"] + python


def table(head, rows):
    return "\n".join(["| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows]]) + "\n"


file = os.path.join(out, "networks.json")
result = {"threads": {}}
if os.path.exists(file):
    with open(file, encoding="utf-8") as f:
        result = json.load(f)
for count in threads:
    names = networks if count > 1 else few
    report = ours(names, count)
    report["python3-torch"] = [theirs(n, count) for n in names]
    result["threads"][str(count)] = report
result["peak_mb"] = {n: {kind: int(bench("bench_importance", "--allocator", "--networks", n, "--peak", kind))
                         for kind in ("plain", "exact")} for n in few}
result["file"] = measured("bench_file", "--folder", "/dev/shm")
with open(file, "w", encoding="utf-8") as f:
    json.dump(result, f, indent=1)

with open("/proc/cpuinfo", encoding="utf-8") as f:
    processor = next((line.split(": ")[1].strip() for line in f if line.startswith("model name")), "unknown processor")
page = ["# Networks\n", f"`tests/bench/networks.py`, {datetime.date.today()}, {processor}; what each column is, below.\n"]
for count, report in sorted(result["threads"].items(), reverse=True):
    python = {o["network"]: o for o in report["python3-torch"]}
    page.append(f"## {count} thread{'s' if count != '1' else ''}, {report['cpu'].split()[0]}\n")
    page.append(table(["network, batch", "plain, ms", "exact", "Fisher exact", "empirical", "batch:N", "loop", "python plain, ms",
                       "exact over it", "its loop", "vmap", "ExpandedWeights"],
                      [row(m, python[m["network"]]) for m in report["networks"]]))
    page.append(table(["training step", "plain, ms", "gradient step over it", "proximal step", "python's step, ms", "ours over it"],
                      [[n, f"{s['plain_ms']:.2f}", f"{s['gradient']:.3f}", f"{s['proximal']:.3f}", f"{python[n]['step']:.2f}",
                        f"{s['plain_ms'] / python[n]['step']:.2f}"] for n, s in report["steps"].items()]))
page.append("## Peak memory of the process, MB\n")
page.append(table(["network, batch", "plain", "exact", "ratio"],
                  [[n, str(p["plain"]), str(p["exact"]), f"{p['exact'] / p['plain']:.2f}"] for n, p in result["peak_mb"].items()]))
page.append("## A model file\n")
page.append("{network} with importance, {mb:.0f} MB: written in {write_s:.2f} s, read in {read_s:.2f} s, copied by cp in {cp_s:.2f} s.\n"
            .format(**result["file"]))
page.append("""## The columns

- plain: forward, loss, backward of a batch in LibTorch, in the better memory format, with the allocator that the tools set.
- exact ... loop: mas-importance's estimators over that, for the same batch; Fisher exact walks back once a class.
- Measured once warm; of large networks, where few passes are, their mean, as some multiply what others have put off.
- python plain: the same pass in python3-torch as it comes; exact over it: ours over theirs.
- its loop, vmap, ExpandedWeights: exact per-sample gradients in python3-torch, over its plain pass; empty: refuses the network.
- training step: forward, loss, backward, Adam; gradient and proximal: with the penalty.
- Peak memory: six passes and the sums in double at the end, self-check included.
- A model file: in memory, so that no disk is measured.
""")
with open(os.path.join(out, "networks.md"), "w", encoding="utf-8") as f:
    f.write("\n".join(page))
