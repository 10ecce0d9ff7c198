"""Models from ONNX's text format."""

import onnx.parser


def parse(text: str):
    """A model of opset 21."""
    return onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]>' + text
    )
