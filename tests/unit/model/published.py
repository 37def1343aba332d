"""Networks as torchvision and facenet-pytorch have them, for comparison. published.py WHAT FOLDER [WEIGHTS]

resnet18: writes random weights (resnet18.pt) and, in outputs.pt, an input and what the network makes of it;
onet: the same of the O-Net whose weights are given; shapes: prints names and shapes of alexnet, resnet18 and vgg16.
"""
import sys

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)


class BasicBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (self.downsample(x) if self.downsample else x)).relu()


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.fc(self.avgpool(self.layer4(self.layer3(self.layer2(self.layer1(x))))).flatten(1))


class Classifier(nn.Module):
    def __init__(self, features, classifier):
        super().__init__()
        self.features = features
        self.classifier = classifier


def alexnet():
    pool = nn.MaxPool2d(3, 2)
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool, nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), pool,
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), pool)
    return Classifier(features, nn.Sequential(
        nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
        nn.Linear(4096, 1000)))


def vgg16():
    layers, channels = [], 3
    for out in [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]:
        if out == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
    return Classifier(nn.Sequential(*layers), nn.Sequential(
        nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 1000)))


def onet(w, x):
    for i, (kernel, stride) in enumerate([(3, 2), (3, 2), (2, 2)], 1):
        x = nn.functional.prelu(nn.functional.conv2d(x, w[f"conv{i}.weight"], w[f"conv{i}.bias"]), w[f"prelu{i}.weight"])
        x = nn.functional.max_pool2d(x, kernel, stride, ceil_mode=True)
    x = nn.functional.prelu(nn.functional.conv2d(x, w["conv4.weight"], w["conv4.bias"]), w["prelu4.weight"])
    x = nn.functional.linear(x.permute(0, 3, 2, 1).flatten(1), w["dense5.weight"], w["dense5.bias"])
    x = nn.functional.prelu(x, w["prelu5.weight"])
    return torch.cat([nn.functional.linear(x, w[f"dense6_{i}.weight"], w[f"dense6_{i}.bias"]) for i in (1, 2, 3)], 1)


what, folder = sys.argv[1:3]
torch.manual_seed(5)
with torch.no_grad():
    if what == "resnet18":
        net = ResNet18()
        for name, value in net.state_dict().items():
            if "running" in name or "bn" in name and value.dim() == 1:
                value.uniform_(0.5, 1.5)
        torch.save(net.state_dict(), folder + "/resnet18.pt")
        x = torch.randn(2, 3, 70, 64)
        torch.save({"x": x, "y": net.eval()(x)}, folder + "/outputs.pt")
    elif what == "onet":
        x = torch.randn(5, 3, 48, 48)
        torch.save({"x": x, "y": onet(torch.load(sys.argv[3]), x)}, folder + "/outputs.pt")
    else:
        for name, net in [("alexnet", alexnet()), ("resnet18", ResNet18()), ("vgg16", vgg16())]:
            for key, value in net.state_dict().items():
                print(name, key, *value.shape)
