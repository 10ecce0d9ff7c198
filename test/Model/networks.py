"""Small networks in torch, each with the parts that real ones are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    """A block of ResNet with the squeeze-excite part of MobileNetV3."""

    def __init__(self, cin: int, cout: int, stride: int):
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(cin, cin, 3, stride, 1, groups=cin, bias=False),
            nn.BatchNorm2d(cin),
            nn.Hardswish(),
        )
        self.second = nn.Sequential(
            nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout)
        )
        self.squeeze = nn.Conv2d(cout, 4, 1)
        self.excite = nn.Conv2d(4, cout, 1)
        self.short = nn.Conv2d(cin, cout, 1, stride)

    def forward(self, x):
        y = self.second(self.first(x))
        scale = F.adaptive_avg_pool2d(y, 1)
        scale = F.hardsigmoid(self.excite(F.relu(self.squeeze(scale))))
        return F.relu(y * scale + self.short(x))


class Convolutional(nn.Module):
    """An encoder with residual blocks, and a decoder that scales up again."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.SiLU()
        )
        self.blocks = nn.Sequential(Residual(8, 12, 1), Residual(12, 16, 2))
        self.norm = nn.GroupNorm(4, 16)
        self.up = nn.ConvTranspose2d(16, 6, 3, stride=2, padding=1, output_padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, image):
        x = F.max_pool2d(self.stem(image), 3, stride=2, padding=1)
        x = self.norm(self.blocks(x))
        small = F.avg_pool2d(x, 3, stride=1, padding=1)
        large = F.interpolate(
            self.up(F.pad(small, (1, 1, 0, 0), mode="reflect")),
            scale_factor=2.0,
            mode="bilinear",
            align_corners=False,
        )
        classes = self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return F.log_softmax(classes, dim=-1), torch.sigmoid(large)


class Norm(nn.Module):
    """nn.RMSNorm written out, for the exporter that does not know it."""

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return x * scale * self.weight


def rotate(x, cos, sin):
    """Rotary embedding: turns the halves of each head by its position."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class DecoderLayer(nn.Module):
    """A layer of LLaMA: rotary embedding, shared key heads, gated dense part."""

    def __init__(self, width: int, heads: int, key_heads: int, norm):
        super().__init__()
        self.heads, self.key_heads, self.size = heads, key_heads, width // heads
        self.norm1, self.norm2 = norm(width), norm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, key_heads * self.size, bias=False)
        self.v = nn.Linear(width, key_heads * self.size, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.up = nn.Linear(width, 2 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)

    def attend(self, x, cos, sin, mask):
        batch, length, width = x.shape

        def split(y, heads):
            return y.view(batch, length, heads, self.size).transpose(1, 2)

        q = rotate(split(self.q(x), self.heads), cos, sin)
        k = rotate(split(self.k(x), self.key_heads), cos, sin)
        v = split(self.v(x), self.key_heads)
        k = k.repeat_interleave(self.heads // self.key_heads, dim=1)
        v = v.repeat_interleave(self.heads // self.key_heads, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x, cos, sin, mask):
        x = x + self.attend(self.norm1(x), cos, sin, mask)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    """A causal language model whose input may be padded."""

    def __init__(self, norm, words: int = 50, width: int = 24, heads: int = 4):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        size = width // heads
        rates = 1 / 10000 ** (torch.arange(0, size, 2).float() / size)
        self.register_buffer("rates", rates)
        self.layers = nn.ModuleList(DecoderLayer(width, heads, 2, norm) for _ in range(2))
        self.norm = norm(width)

    def forward(self, ids, present):
        length = ids.shape[1]
        angles = torch.arange(length).float()[:, None] * self.rates[None]
        angles = torch.cat((angles, angles), dim=-1)
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        mask = causal[None, None] & present[:, None, None].bool()
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin(), mask)
        return self.norm(x) @ self.embed.weight.T


class Encoder(nn.Module):
    """torch's own encoder with padding masked, and a classifier."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.embed = nn.Embedding(50, width)
        self.places = nn.Embedding(64, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 48, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 5)

    def forward(self, ids, padding):
        places = torch.arange(ids.shape[1])
        x = self.embed(ids) + self.places(places)[None]
        x = self.encoder(x, src_key_padding_mask=padding)
        return torch.softmax(self.head(x[:, 0]), dim=-1)


class Recurrent(nn.Module):
    """Two layers of LSTM in both directions, then GRU, then a plain cell."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 8, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(16, 10, batch_first=True)
        self.plain = nn.RNN(10, 6, batch_first=True)
        self.head = nn.Linear(6, 4)

    def forward(self, ids):
        x, (hidden, _) = self.lstm(self.embed(ids))
        x, last = self.gru(x)
        x, _ = self.plain(x)
        return self.head(x), hidden, last
