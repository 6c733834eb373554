#!/usr/bin/env python3
"""Trains the networks of models/ and writes the data beside them. Needed only to change them: the results are committed.

    apt-get install --no-install-recommends python3-torch python3-sklearn
    /usr/bin/python3 scripts/train_models.py

Everything follows from SEED; the same versions of PyTorch and scikit-learn on the same kind of CPU give the same bytes. The test split
is looked at once, after training: epochs and rates are fixed, nothing is chosen by it.
"""
import argparse
import hashlib
import json
import pathlib
from collections import OrderedDict

import numpy as np
import sklearn
import sklearn.datasets
import sklearn.model_selection
import torch
from torch import nn

SEED = 7
EPOCHS = 60
CALIB_SAMPLES = 300
TEST_SAMPLES = 450
SEQUENCES = 150
OPSET = 13

DATA = {
    "name": "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998 (UCI Machine Learning Repository); "
            "its 1797 test samples as scikit-learn ships them (sklearn.datasets.load_digits)",
    "url": "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    "licence": "CC BY 4.0",
    "changes": "8x8 counts 0..16 divided by 16, as float32 [N,1,8,8]; split at random into training and test, equal shares of each digit",
}


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + x)


def named(**layers):
    """A Sequential whose layers, and so the nodes and weights of the exported file, have names."""
    return nn.Sequential(OrderedDict(layers))


def conv_bn_relu(inputs, outputs, stride):
    return named(conv=nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), bn=nn.BatchNorm2d(outputs), relu=nn.ReLU())


def digits_cnn():
    return named(stem=conv_bn_relu(1, 16, 1), block1=Residual(16), down=conv_bn_relu(16, 32, 2), block2=Residual(32),
                 pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), classifier=nn.Linear(32, 10))


def digits_mlp():
    return named(flatten=nn.Flatten(), hidden1=nn.Linear(64, 128), relu1=nn.ReLU(), hidden2=nn.Linear(128, 64), relu2=nn.ReLU(),
                 classifier=nn.Linear(64, 10))


class Attention(nn.Module):
    """Two heads, every position reading every other one."""

    def __init__(self, width, heads=2):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        def split(y):
            return y.reshape(y.shape[0], y.shape[1], self.heads, -1).transpose(1, 2)
        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        shares = torch.softmax(query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5), -1)
        return self.out((shares @ value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width)
        self.mlp = named(up=nn.Linear(width, 2 * width), gelu=nn.GELU(), down=nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class digits_transformer(nn.Module):
    """Reads a picture as 64 tokens, the 17 counts of its pixels, as a language model reads text."""
    content = "input x: float32 [N,1,8,8], made tokens by its first nodes; output logits: float32 [N,10]"

    def __init__(self, width=32):
        super().__init__()
        self.tokens = nn.Embedding(17, width)
        self.places = nn.Parameter(torch.randn(64, width) / 8)
        self.block1, self.block2 = Block(width), Block(width)
        self.norm, self.classifier = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        y = self.tokens((x.flatten(1) * 16).round().long()) + self.places
        return self.classifier(self.norm(self.block2(self.block1(y)).mean(1)))


class digits_gru(nn.Module):
    """Reads a picture row by row. Its state goes in and out, so that rows may come one at a time."""
    content = "inputs x: float32 [N,T,8], state: float32 [1,N,32]; outputs logits: float32 [N,10], next: float32 [1,N,32]"

    def __init__(self, width=32):
        super().__init__()
        self.width = width
        self.gru, self.classifier = nn.GRU(8, width, batch_first=True), nn.Linear(width, 10)

    def step(self, rows, state):
        said, state = self.gru(rows, state)
        return self.classifier(said[:, -1]), state

    def forward(self, x):
        return self.step(x[:, 0], torch.zeros(1, len(x), self.width))[0]


def shifted(x, generator):
    """Each image moved by up to one pixel each way: 1347 training samples are few."""
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    dy, dx = torch.randint(0, 3, (2, len(x)), generator=generator)
    rows = (torch.arange(8)[None] + dy[:, None])[:, None, :, None]
    columns = (torch.arange(8)[None] + dx[:, None])[:, None, None, :]
    return padded[torch.arange(len(x))[:, None, None, None], 0, rows, columns]


def train(model, x, y):
    generator = torch.Generator().manual_seed(SEED)
    batches = -(-len(x) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=EPOCHS * batches)
    model.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x), generator=generator).split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(shifted(x[batch], generator)), y[batch], label_smoothing=0.05)
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def export(model, path):
    """PRESERVE keeps each BatchNormalization a node of its own; the exporter would fold it otherwise."""
    torch.onnx.export(model, torch.zeros(1, 1, 8, 8), str(path), opset_version=OPSET, input_names=["x"], output_names=["logits"],
                      dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}}, training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False)


def export_step(model, path):
    model.forward = model.step
    torch.onnx.export(model, (torch.zeros(1, 8, 8), torch.zeros(1, 1, model.width)), str(path), opset_version=OPSET,
                      input_names=["x", "state"], output_names=["logits", "next"],
                      dynamic_axes={"x": {0: "N", 1: "T"}, "state": {1: "N"}, "logits": {0: "N"}, "next": {1: "N"}},
                      do_constant_folding=False)


def sequences(model, x, y):
    """The second half of each picture, and the state that the first half left: arrays of whole inputs of one sample each."""
    rows = torch.from_numpy(x)[:, 0]
    with torch.no_grad():
        state = model.step(rows[:, :4], torch.zeros(1, len(rows), model.width))[1]
    return {"x": x[:, :, 4:], "state": state.numpy().transpose(1, 0, 2)[:, None], "y": y}


def described(path, **facts):
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **facts}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "models")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    digits = sklearn.datasets.load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    train_x, test_x, train_y, test_y = sklearn.model_selection.train_test_split(
        images, digits.target.astype(np.int64), test_size=TEST_SAMPLES, random_state=SEED, stratify=digits.target)
    np.savez_compressed(out / "digits_calib.npz", x=train_x[:CALIB_SAMPLES])
    np.savez_compressed(out / "digits_test.npz", x=test_x, y=test_y)

    files = {
        "digits_calib.npz": described(out / "digits_calib.npz", content=f"x: the first {CALIB_SAMPLES} of {len(train_x)} training samples"),
        "digits_test.npz": described(out / "digits_test.npz", content=f"x, y: the {len(test_x)} samples held out from training"),
    }
    for make in (digits_cnn, digits_mlp, digits_transformer, digits_gru):
        torch.manual_seed(SEED)
        model = train(make(), torch.from_numpy(train_x), torch.from_numpy(train_y))
        path = out / f"{make.__name__}.onnx"
        with torch.no_grad():
            right = int((model(torch.from_numpy(test_x)).argmax(1).numpy() == test_y).sum())
        if make is digits_gru:
            halves = out / "digits_halves.npz"
            np.savez_compressed(halves, **sequences(model, test_x[:SEQUENCES], test_y[:SEQUENCES]))
            files[halves.name] = described(
                halves, content=f"x, state, y: of the first {SEQUENCES} test samples the second half and the state of digits_gru before it")
            export_step(model, path)
        else:
            export(model, path)
        files[path.name] = described(
            path, content=getattr(make, "content", "input x: float32 [N,1,8,8]; output logits: float32 [N,10]"), opset=OPSET,
            parameters=sum(p.numel() for p in model.parameters()), test_top1=round(right / len(test_y), 4),
            test_right=f"{right} of {len(test_y)}")
        print(f"{path.name}: {right} of {len(test_y)} right, {files[path.name]['bytes']} bytes")

    manifest = {
        "made_by": "scripts/train_models.py",
        "with": {"torch": torch.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "seed": SEED,
        "epochs": EPOCHS,
        "data": DATA,
        "licence": "networks: Apache-2.0, as the rest of the project; data: as above",
        "files": files,
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
