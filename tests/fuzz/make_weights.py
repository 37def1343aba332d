"""Makes corpus-weights: the same four tensors, two of them views of one storage, in each format. make_weights.py FOLDER"""
import collections
import json
import struct
import sys

import torch

folder = sys.argv[1]
base = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
tensors = collections.OrderedDict()
tensors["fc1.weight"] = base.t()
tensors["fc1.bias"] = base[0]
tensors["n.num_batches_tracked"] = torch.tensor(7)
tensors["h"] = torch.tensor([0.5], dtype=torch.half)
torch.save(tensors, folder + "/tiny-zip.pt")
torch.save(tensors, folder + "/tiny-legacy.pt", _use_new_zipfile_serialization=False)

header, data = {"__metadata__": {"made": "by hand"}}, b""
for name, value in tensors.items():
    values = value.contiguous().numpy().tobytes()
    dtype = {torch.float: "F32", torch.half: "F16", torch.long: "I64"}[value.dtype]
    header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(values)]}
    data += values
text = json.dumps(header, separators=(",", ":")).encode()
with open(folder + "/tiny.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
