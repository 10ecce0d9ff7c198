"""Prints the convolutions of a ResNet with their gradients, with as many images as fill a GPU, as cases of weft-test-kernels that are not to be run."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "Kernel"))
from function import TABLE, Function  # noqa: E402

PAD = {"low": [1, 1], "high": [1, 1]}


def layers(channels, size, element):
    """Convolutions of `channels` at `size` x `size` positions: with 3 x 3 taps, without where images are no multiples of 16 bytes, and those to twice the channels with strides."""
    x = [16, channels, size, size]

    def case(name):
        return Function(f"{name}_{channels}_{element}")

    f = case("conv")
    y = f.conv(f.arg(x, element), f.arg([channels, channels, 3, 3], element), **PAD)
    y = f.binary("add", y, f.broadcast(f.arg([channels], element), [1], y.shape))
    f.ret(f.binary("max", y, f.splat(0, y)))
    f = case("input")
    w = f.slice(f.arg([channels, channels, 3, 3], element), [0, 0, 2, 2], [channels, channels, 3, 3], [1, 1, -1, -1])
    f.ret(f.conv(f.arg(x, element), f.transpose(w, [1, 0, 2, 3]), **PAD))
    f = case("filter")
    f.ret(f.conv_filter(f.arg(x, element), f.arg(x, element), [channels, channels, 3, 3], **PAD))
    if element == "f16" and size * size % 8:
        f = case("point")
        f.ret(f.conv(f.arg([16, 4 * channels, size, size], element), f.arg([channels, 4 * channels, 1, 1], element)))
        f = case("point_input")
        f.ret(f.conv(f.arg(x, element), f.transpose(f.arg([channels, 4 * channels, 1, 1], element), [1, 0, 2, 3])))
    f = case("point_filter")
    f.ret(f.conv_filter(f.arg(x, element), f.arg([16, 4 * channels, size, size], element), [4 * channels, channels, 1, 1]))
    if size % 2:
        return
    f = case("strided")
    f.ret(f.conv(f.arg(x, element), f.arg([2 * channels, channels, 3, 3], element), strides=[2, 2], **PAD))
    wide, w = [16, 4 * channels, size, size], [8 * channels, 4 * channels, 1, 1]
    f = case("down")
    f.ret(f.conv(f.arg(wide, element), f.arg(w, element), strides=[2, 2]))
    f = case("down_filter")
    f.ret(f.conv_filter(f.arg(wide, element), f.arg([16, 8 * channels, size // 2, size // 2], element), w, strides=[2, 2]))


for element in ("f16", "f32"):
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        layers(channels, size, element)
print("\n".join(text for _, text in TABLE))
