//===- Export.cpp - The onnx dialect to ONNX files ------------------------===//

#include "weft/Import/Import.h"
#include "Model.h"
