//===- weft-lsp-server.cpp - Weft's IR in editors -------------------------===//

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "weft/Pipelines/Pipelines.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  weft::registerDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
