"""Makes corpus-modules: small networks as torch.jit.save writes them, and two that LibTorch loads and then reads beyond
their bytes. make_modules.py FOLDER"""
import sys
import zipfile

import torch
from torch import nn


class Looks(nn.Module):
    """Attributes, constants, a loop and a condition."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 2)
        self.sizes = [1, 2]
        self.names = {"a": 1}
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x):
        y = self.fc(x)
        for size in self.sizes:
            if size > 1:
                y = y * float(size) + self.names["a"]
        return y + torch.tensor([0.5, 1.5])


torch.manual_seed(0)
folder = sys.argv[1]
torch.jit.script(nn.Linear(6, 2)).save(folder + "/linear.pt")
norm = nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.ReLU(), nn.Flatten())
torch.jit.script(norm).save(folder + "/norm.pt")
torch.jit.script(Looks()).save(folder + "/looks.pt")
torch.jit.trace(nn.Linear(6, 2), torch.zeros(2, 6)).save(folder + "/traced.pt")


def damage(name, entry, change):
    """linear.pt with one of its parts changed, checksums and all."""
    with zipfile.ZipFile(folder + "/linear.pt") as sound, zipfile.ZipFile(f"{folder}/{name}.pt", "w") as damaged:
        for part in sound.infolist():
            content = sound.read(part)
            damaged.writestr(zipfile.ZipInfo(part.filename), change(content) if part.filename.endswith(entry) else content)


damage("short-storage", "/data/0", lambda values: values[:4])
damage("wide-view", "/data.pkl", lambda pickle: pickle.replace(b"K\x02K\x06", b"K\x02K\xff"))
