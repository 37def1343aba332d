"""Reads the golden model with h5py, runs the man page's examples, and the HDF5 tools that it names: reread model page."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError:
    sys.exit(77)

reread, golden, page = (os.path.abspath(path) for path in sys.argv[1:4])


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def examples(path):
    """The blocks of Python in the page: indented by a tab between lines of ``` in scdoc."""
    blocks = open(path, encoding="utf-8").read().split("```\n")[1::2]
    return [block for block in blocks if block.startswith("import h5py")]


def check_golden():
    with h5py.File(golden, "r") as f:
        assert f.userblock_size == 512
        assert f.attrs["format"] == b"mas-model" and f.attrs["format_version"] == b"1.0"
        assert json.loads(f.attrs["arch"])["widths"] == [3, 2, 2]
        assert f["weights/layers.0.weight"][:].tolist() == [[-3, -2, -1], [0, 1, 2]]
        assert f["weights/layers.0.weight"].dtype == np.float32
        assert f["weights/layers.0.bias"].dtype == np.float64
        assert f["buffers/norm.num_batches_tracked"][()] == 7
        assert f["buffers/norm.seen"].dtype == bool
        assert f["importance/sum/layers.0.weight"][:].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert f["importance"].attrs["count"] == 5000000000
        assert f["importance"].attrs["combine"] == b"ema:0.5"
        assert json.loads(f["tasks"][()])[1]["name"] == "h\u00f6her"
        assert f["optimizer/anchor/layers.0.weight"].shape == (2, 3)
        assert bytes(f["script"][:4]) == b"PK\3\4"
        assert sorted(f["heads"]) == ["high", "low"]


def check_tools():
    shutil.copy(golden, "model.h5")
    if shutil.which("h5dump"):
        assert "layers.0.weight" in run("h5dump", "-n", "model.h5").stdout
    with h5py.File("model.h5", "r+") as f:
        f["weights/layers.0.weight"][0, 0] = -4
    failed = run(reread, "model.h5", "again.h5")
    assert failed.returncode == 1 and "does not match its digest" in failed.stderr, failed.stderr
    assert not os.path.exists("again.h5")
    if shutil.which("h5unjam"):
        subprocess.run(["h5unjam", "-i", "model.h5", "-o", "plain.h5", "--delete"], check=True, stdout=subprocess.DEVNULL)
        done = run(reread, "plain.h5", "again.h5")
        assert done.returncode == 0, done.stderr
        with h5py.File("again.h5", "r") as f:
            assert f["weights/layers.0.weight"][0, 0] == -4
            assert f["importance"].attrs["count"] == 5000000000


def check_examples():
    found = examples(page)
    assert len(found) == 2, "the page has an example that reads and one that makes a model"
    shutil.copy(golden, "model.h5")
    for example in found:
        exec(compile(example, page, "exec"), {})
    done = run(reread, "new.h5", "new2.h5")
    assert done.returncode == 0, done.stderr
    again = run(reread, "new2.h5", "new3.h5")
    assert again.returncode == 0 and open("new2.h5", "rb").read() == open("new3.h5", "rb").read()
    with h5py.File("new2.h5", "r") as f:
        assert f["weights/fc1.weight"].shape == (2, 3)
        assert f["notes"].attrs["author"] == "someone"


check_golden()
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    check_tools()
    check_examples()
    os.chdir("/")
