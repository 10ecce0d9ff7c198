"""Makes the models of this folder and trains them with torch, for the record.

For each model there is NAME.onnx, as torch exports it before training, and an
entry in losses.json: the settings for Weft and the loss of each of 100 steps.
The data are made by data.py, here and in the test. Fixed/NAME-SIZE.onnx are models
for batches of one size. Written with torch 2.15.
"""

import json
import pathlib

import torch
from data import BATCH, STEPS, make
from torch import nn

HERE = pathlib.Path(__file__).parent


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.first = nn.Conv2d(8, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.second(torch.relu(self.first(x))))
        x = torch.relu(self.down(x))
        return self.head(x.mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 12, batch_first=True)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 16)
        self.place = nn.Parameter(torch.randn(1, 8, 16) * 0.1)
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.embed(x) + self.place
        q, k, v = self.qkv(self.norm1(x)).reshape(-1, 8, 3, 2, 8).permute(2, 0, 3, 1, 4)
        scores = torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1)
        x = x + self.out((scores @ v).transpose(1, 2).reshape(-1, 8, 16))
        x = x + self.down(nn.functional.gelu(self.up(self.norm2(x))))
        return self.head(x.mean(1))


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 12)
        self.hidden, self.head = nn.Linear(12, 16), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(torch.tanh(self.hidden(self.table(x).mean(1))))


class Vision(nn.Module):
    """A transformer on patches with a token of the class, and torch's own attention."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(1, 16, 2, 2)
        self.cls = nn.Parameter(torch.randn(1, 1, 16))
        self.pos = nn.Parameter(torch.randn(1, 17, 16) * 0.1)
        self.enc = nn.TransformerEncoderLayer(
            16, 2, 32, batch_first=True, activation="gelu", norm_first=True
        )
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(x.shape[0], -1, -1), patches], 1)
        return self.head(self.enc(tokens + self.pos)[:, 0])


def mlp():
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16), nn.GELU(), nn.Linear(16, 5))


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(12, 5),
    )  # fmt: skip


# Name: model, kind of data, optimizer, settings of Weft, learning rate, largest norm.
MODELS = {
    "mlp": (mlp, "vectors", lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
            "optimizer=momentum", 0.05, None),
    "convolutional": (convolutional, "images", lambda p: torch.optim.SGD(p, 0.05, 0.9, weight_decay=1e-3, nesterov=True),
                      "optimizer=nesterov weight-decay=1e-3 bn=train", 0.05, None),
    "residual": (Residual, "images", lambda p: torch.optim.Adam(p, 2e-3),
                 "optimizer=adam", 2e-3, None),
    "recurrent": (Recurrent, "sequences", lambda p: torch.optim.RMSprop(p, 3e-3),
                  "optimizer=rmsprop clip-norm=0.5", 3e-3, 0.5),
    "transformer": (Transformer, "sequences", lambda p: torch.optim.AdamW(p, 2e-3),
                    "optimizer=adamw label-smoothing=0.1", 2e-3, None),
    "embedding": (Embedding, "words", lambda p: torch.optim.Adagrad(p, 0.05),
                  "optimizer=adagrad", 0.05, None),
}  # fmt: skip


def make_distinct(model):
    """Gives normalisations values that differ: the exporter makes one initializer of equal ones."""
    for layer in model.modules():
        if isinstance(layer, (nn.BatchNorm2d, nn.LayerNorm)):
            for tensor in layer.state_dict().values():
                if tensor.is_floating_point():
                    nn.init.uniform_(tensor, 0.5, 1.5)


def record(name):
    build, kind, optimize, settings, rate, norm = MODELS[name]
    torch.manual_seed(1)
    model = build()
    make_distinct(model)
    x, labels = (torch.from_numpy(a) for a in make(kind))
    torch.onnx.export(
        model.eval(), (x[:2],), str(HERE / f"{name}.onnx"), dynamo=False, opset_version=18,
        input_names=["x"], output_names=["scores"], dynamic_axes={"x": {0: "N"}, "scores": {0: "N"}},
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
    )  # fmt: skip
    model.train()
    optimizer = optimize(model.parameters())
    smoothing = 0.1 if "smoothing" in settings else 0.0
    losses = []
    for step in range(STEPS):
        part = slice(step * BATCH, (step + 1) * BATCH)
        loss = nn.functional.cross_entropy(model(x[part]), labels[part], label_smoothing=smoothing)
        optimizer.zero_grad()
        loss.backward()
        if norm:
            nn.utils.clip_grad_norm_(model.parameters(), norm)
        optimizer.step()
        losses.append(loss.item())
    return {"data": kind, "rate": rate, "settings": settings, "losses": losses}


# Models for batches of one size: the network, the kind of data, and the sizes.
FIXED = {
    "convolutional": (convolutional, "images", [1]),
    "recurrent": (Recurrent, "sequences", [1, 4]),
    "transformer": (Transformer, "sequences", [1, 4]),
    "vit": (Vision, "images", [1, 4]),
}


def export_fixed(name):
    build, kind, sizes = FIXED[name]
    torch.manual_seed(1)
    model = build()
    make_distinct(model)
    x = torch.from_numpy(make(kind)[0])
    for size in sizes:
        torch.onnx.export(
            model.eval(), (x[:size],), str(HERE / "Fixed" / f"{name}-{size}.onnx"), dynamo=False,
            opset_version=18, input_names=["x"], output_names=["scores"],
        )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in FIXED:
        export_fixed(name)
    results = {name: record(name) for name in MODELS}
    (HERE / "losses.json").write_text(json.dumps(results, indent=1) + "\n")
