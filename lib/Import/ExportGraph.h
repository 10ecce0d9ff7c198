//===- ExportGraph.h - Modules of the onnx dialect as models --------------===//

#ifndef WEFT_LIB_IMPORT_EXPORTGRAPH_H
#define WEFT_LIB_IMPORT_EXPORTGRAPH_H

#include "onnx/onnx_pb.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include <vector>

namespace weft::importer {

/// A model without the bytes of its large tensors; reference `i` stands for
/// `data[i]`.
struct ExportedModel {
  ::onnx::ModelProto proto;
  std::vector<llvm::ArrayRef<char>> data;
};

/// Makes a model of the function `main` of `module`. Emits an error at what has
/// no counterpart in ONNX.
llvm::FailureOr<ExportedModel> exportModule(mlir::ModuleOp module);

/// Writes the model as exportONNX() does.
llvm::Error writeModel(ExportedModel &model, llvm::StringRef path);

/// Reads a graph in ONNX's text syntax.
llvm::Error parseGraph(const std::string &text, ::onnx::GraphProto &graph);

/// The model in ONNX's text syntax. Fails if it can't express the model.
llvm::Expected<std::string> printText(const ::onnx::ModelProto &model);

} // namespace weft::importer

#endif // WEFT_LIB_IMPORT_EXPORTGRAPH_H
