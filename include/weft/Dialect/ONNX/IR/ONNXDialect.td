//===- ONNXDialect.td - The imported graph --------------------------------===//

#ifndef WEFT_DIALECT_ONNX_IR_ONNXDIALECT
#define WEFT_DIALECT_ONNX_IR_ONNXDIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ONNX_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::weft::onnx";
  let summary = "The imported graph, faithful to ONNX";
  let description = [{
    One op per ONNX node, under ONNX's names: `onnx.Conv` for the main domain,
    `onnx.ml.TreeEnsemble` for `ai.onnx.ml`, `onnx.training.Adam` for
    `ai.onnx.preview.training`, `onnx.preview.FlexAttention` for
    `ai.onnx.preview`. Apart from the few ops below, which stand for what is not
    a node, the ops are registered at start from ONNX's own schemas and verified
    by them; `weft::onnx::Node` reads them.

    A node's attributes keep their names. An int is an `i64` attribute, a float
    `f32`, a string a string; ints and floats are dense arrays, strings an array
    of strings; a tensor is dense elements or `#weft.extern`, a type a type
    attribute. A graph is a region without arguments (If) or with the graph's
    inputs as arguments (Loop, Scan, SequenceMap); it ends in `onnx.yield` and
    may use values from outside. Attributes that ONNX does not have:

    * `weft.graphs`: the names of the graph attributes, one per region;
    * `weft.outputs`: the names of the results, "" for one that the model does
      not name. Such a result has type `none`;
    * `weft.metadata`: the node's metadata, a dictionary of strings.

    Example:

    ```mlir
    %none = onnx.none
    %y = onnx.Clip(%x, %none, %max) {weft.outputs = ["y"]} : (tensor<?x4xf32>, none, tensor<f32>) -> tensor<?x4xf32>
    ```
  }];
  let isExtensible = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    /// Registers one op per schema, leaving out those that are there already.
    void registerNodes(::llvm::ArrayRef<::weft::onnx::NodeSchema> schemas);
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class ONNX_Type<string name, string typeMnemonic>
    : TypeDef<ONNX_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def ONNX_StringType : ONNX_Type<"String", "string"> {
  let summary = "An element of a tensor of strings";
}

def ONNX_SeqType : ONNX_Type<"Seq", "seq"> {
  let summary = "A sequence of values of one type";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def ONNX_OptionalType : ONNX_Type<"Optional", "optional"> {
  let summary = "A value or nothing";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def ONNX_MapType : ONNX_Type<"Map", "map"> {
  let summary = "A map from integers or strings to values";
  let parameters = (ins "::mlir::Type":$key, "::mlir::Type":$value);
  let assemblyFormat = "`<` $key `,` $value `>`";
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

class ONNX_Op<string mnemonic, list<Trait> traits = []>
    : Op<ONNX_Dialect, mnemonic, traits>;

def ONNX_NoneOp : ONNX_Op<"none", [Pure]> {
  let summary = "An operand that is left out";
  let description = [{
    Stands where a node leaves out an optional input that is not its last.

    Example:

    ```mlir
    %none = onnx.none
    ```
  }];
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict";
}

def ONNX_YieldOp : ONNX_Op<"yield", [Pure, ReturnLike, Terminator]> {
  let summary = "The outputs of a graph";
  let description = [{
    Ends the region of an attribute that is a graph, as If and Loop have them.

    Example:

    ```mlir
    onnx.yield %y : tensor<4xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // WEFT_DIALECT_ONNX_IR_ONNXDIALECT
