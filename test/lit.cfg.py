"""The test suite: `ninja check-weft`, or `lit-22 build/dev/test`."""

import os

import lit.formats

config.name = "weft"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)

path = [config.weft_tools, config.llvm_tools, config.environment["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
config.substitutions.append(("%python", config.weft_python))
config.substitutions.append(("%build", os.path.dirname(config.weft_tools)))
config.substitutions.append(("%cc", config.c_compiler))
config.substitutions.append(("%include", config.weft_include))
config.substitutions.append(("%lib", config.weft_libraries))
