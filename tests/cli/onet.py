"""O-Net, a published face detector, as a TorchScript module, and its importance one sample at a time in float64.

    onet.py make WEIGHTS.pt FOLDER             FOLDER/onet.pt with the weights of a state dict
    onet.py judge ONET.pt IMAGES.h5 OMEGA.h5   fails above an error of 1e-5 of a tensor's largest value, or 1e-3 of those
                                               before max pooling, which rounding lets choose another of near equals:
                                               there PyTorch's own float32 is 4e-4 from its float64
"""
import sys

try:
    import h5py
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)


class ONet(nn.Module):
    def __init__(self):
        super().__init__()
        for i, (channels, out, kernel) in enumerate([(3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 2)], 1):
            setattr(self, f"conv{i}", nn.Conv2d(channels, out, kernel))
            setattr(self, f"prelu{i}", nn.PReLU(out))
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.last_pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.dense5 = nn.Linear(1152, 256)
        self.prelu5 = nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x):
        x = self.pool(self.prelu1(self.conv1(x)))
        x = self.pool(self.prelu2(self.conv2(x)))
        x = self.last_pool(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.conv4(x)).permute(0, 3, 2, 1).flatten(1)
        x = self.prelu5(self.dense5(x))
        return torch.cat([self.dense6_1(x), self.dense6_2(x), self.dense6_3(x)], 1)


def make(weights, folder):
    network = ONet()
    network.load_state_dict(torch.load(weights))
    torch.jit.script(network.eval()).save(folder + "/onet.pt")


def judge(module, images, omega):
    torch.set_num_threads(1)
    network = ONet()
    network.load_state_dict(torch.jit.load(module).state_dict())
    network = network.double().eval()
    with h5py.File(images, "r") as f:
        x = (torch.from_numpy(f["images"][:]).double() - 127.5) / 128
    names, parameters = zip(*network.named_parameters())
    want = [torch.zeros_like(value) for value in parameters]
    for sample in x:
        gradients = torch.autograd.grad(network(sample[None]).square().sum(), parameters)
        for total, gradient in zip(want, gradients):
            total += gradient.abs()
    with h5py.File(omega, "r") as f:
        assert f["importance"].attrs["count"] == len(x)
        assert set(f["importance/sum"]) == set(names)
        errors = {name: float((torch.from_numpy(f["importance/sum"][name][:]) - value).abs().max() / value.abs().max())
                  for name, value in zip(names, want)}
    print(f"{len(x)} samples; error of the largest value: {errors}")
    sys.exit(any(not error <= (1e-3 if name.startswith(("conv1", "prelu1", "conv2")) else 1e-5)
                 for name, error in errors.items()))


{"make": make, "judge": judge}[sys.argv[1]](*sys.argv[2:])
