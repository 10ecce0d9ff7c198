"""Writes the benchmarks' VGG16 and ResNet-50, the latter with fewer blocks, narrow
and for small images, into a folder: vision.py FOLDER"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "benchmarks"))
import vision  # noqa: E402

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
vision.vgg16(2, size=32, width=8, classes=10).save(folder / "vgg16.onnx")
vision.resnet50(2, size=64, width=8, classes=10, depths=(1, 1)).save(folder / "resnet50.onnx")
