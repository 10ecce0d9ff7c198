//===- HostOps.td - The program that drives the kernels -------------------===//

#ifndef WEFT_DIALECT_HOST_IR_HOSTOPS
#define WEFT_DIALECT_HOST_IR_HOSTOPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Host_Dialect : Dialect {
  let name = "host";
  let cppNamespace = "::weft::host";
  let summary = "The program that drives the kernels";
  let description = [{
    A host program is a function `@main` without arguments that gets its inputs,
    runs kernels on buffers and writes its outputs. Nearly every op is one call
    of the runtime (weft-rt/program.h). Sizes are `index` values; control flow
    is `scf` on buffers and sizes.

    The module carries the tables of the program: `host.inputs` and
    `host.outputs`, arrays of `#host.port`, and `host.symbols`, an array of
    `#host.symbol`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

//===----------------------------------------------------------------------===//
// Types and attributes
//===----------------------------------------------------------------------===//

def Host_BufferType : TypeDef<Host_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "The address of a tensor's first element";
  let description = [{
    Elements lie in row-major order without gaps, each in as many bytes as
    weft::getStorageBytes() says.
  }];
}

// The values are those of `weft_role` (weft-rt/program.h).
def Host_Role : I32EnumAttr<"Role", "what a port is for", [
    I32EnumAttrCase<"data", 0>, I32EnumAttrCase<"parameter", 1>,
    I32EnumAttrCase<"state", 2>, I32EnumAttrCase<"rate", 3>,
    I32EnumAttrCase<"seed", 4>, I32EnumAttrCase<"loss", 5>,
    I32EnumAttrCase<"metric", 6>]> {
  let cppNamespace = "::weft::host";
  let genSpecializedAttr = 0;
}

def Host_RoleParameter : EnumParameter<Host_Role> {
  let defaultValue = "::weft::host::Role::data";
}

def Host_PortAttr : AttrDef<Host_Dialect, "Port"> {
  let mnemonic = "port";
  let summary = "An input or output of the program";
  let description = [{
    `symbols` has one number per dimension: that of a `host.symbols` entry, -1
    for a fixed size, or -2 for a size that only the run settles.

    `role` is what the port is for (`weft_role`). A parameter or state has a
    `twin`: of an input the number of the output that is its new value, of an
    output that of the input. Such an input starts from the `host.data` that
    `initial` names, or from zeros. `early` is set on an output that the program
    may write to while it can still fail.

    Example:

    ```mlir
    #host.port<"x", tensor<?x8xf32>, [0, -1]>
    ```
    ```mlir
    #host.port<"w", tensor<8xf32>, [-1], role = parameter, twin = 1, initial = @data_0>
    ```
  }];
  let parameters = (ins StringRefParameter<"">:$name,
                        "::mlir::RankedTensorType":$type,
                        OptionalArrayRefParameter<"int32_t">:$symbols,
                        Host_RoleParameter:$role,
                        DefaultValuedParameter<"int32_t", "-1">:$twin,
                        OptionalParameter<"::mlir::FlatSymbolRefAttr">:$initial,
                        DefaultValuedParameter<"bool", "false">:$early);
  let builders = [
    AttrBuilder<(ins "::llvm::StringRef":$name,
                     "::mlir::RankedTensorType":$type,
                     "::llvm::ArrayRef<int32_t>":$symbols), [{
      return $_get($_ctxt, name, type, symbols, Role::data, -1,
                   ::mlir::FlatSymbolRefAttr(), false);
    }]>
  ];
  let assemblyFormat = [{
    `<` $name `,` $type `,` `[` (`]`) : ($symbols^ `]`)?
    (`,` struct($role, $twin, $initial, $early)^)? `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether the port is a parameter or state, which has a twin.
    bool isState() const {
      return getRole() == Role::parameter || getRole() == Role::state;
    }
  }];
}

def Host_SymbolAttr : AttrDef<Host_Dialect, "Symbol"> {
  let mnemonic = "symbol";
  let summary = "A symbolic size of the inputs";
  let description = [{
    `min` and `max` are the sizes that the program accepts, both inclusive.

    Example:

    ```mlir
    #host.symbol<"N", 1, 64>
    ```
  }];
  let parameters = (ins StringRefParameter<"">:$name, "int64_t":$min,
                        "int64_t":$max);
  let assemblyFormat = "`<` $name `,` $min `,` $max `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

class Host_Op<string mnemonic, list<Trait> traits = []>
    : Op<Host_Dialect, mnemonic, traits>;

def Host_DataOp : Host_Op<"data", [Symbol]> {
  let summary = "A constant of the program";
  let description = [{
    Declares bytes that the program needs. `value` is a dense tensor or
    `#weft.extern`; `name` is that of the ONNX initializer.

    Example:

    ```mlir
    host.data @data_0 "conv1.weight" dense<1.0> : tensor<4xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$name,
                       TypedAttrInterface:$value);
  let assemblyFormat = "$sym_name $name attr-dict $value";
  let hasVerifier = 1;
}

def Host_ConstantOp : Host_Op<"constant", [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The bytes of a constant";
  let description = [{
    Example:

    ```mlir
    host.data @data_0 "conv1.weight" dense<1.0> : tensor<4xf32>
    %w = host.constant @data_0
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$data);
  let results = (outs Host_BufferType:$buffer);
  let assemblyFormat = "$data attr-dict";
}

def Host_InputOp : Host_Op<"input", [Pure]> {
  let summary = "The bytes of an input";
  let description = [{
    Example:

    ```mlir
    module attributes {host.inputs = [#host.port<"x", tensor<4xf32>, [-1]>]} {
      %x = host.input 0
    }
    ```
  }];
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$number);
  let results = (outs Host_BufferType:$buffer);
  let assemblyFormat = "$number attr-dict";
  let hasVerifier = 1;
}

def Host_SymbolOp : Host_Op<"symbol", [Pure]> {
  let summary = "The value of a symbolic size";
  let description = [{
    Example:

    ```mlir
    module attributes {host.symbols = [#host.symbol<"N", 1, 64>]} {
      %n = host.symbol 0
    }
    ```
  }];
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$number);
  let results = (outs Index:$value);
  let assemblyFormat = "$number attr-dict";
  let hasVerifier = 1;
}

def Host_OutputOp : Host_Op<"output", [MemoryEffects<[MemWrite]>]> {
  let summary = "The memory of an output, whose sizes are settled thereby";
  let description = [{
    `sizes` are the `?` sizes of the output's type. The program executes exactly
    one such op per output.

    Example:

    ```mlir
    module attributes {host.outputs = [#host.port<"y", tensor<?x4xf32>, [-2, -1]>]} {
      %n = arith.constant 8 : index
      %y = host.output 0 sizes(%n)
    }
    ```
  }];
  let arguments = (ins ConfinedAttr<I32Attr, [IntNonNegative]>:$number,
                       Variadic<Index>:$sizes);
  let results = (outs Host_BufferType:$buffer);
  let assemblyFormat = "$number (`sizes` `(` $sizes^ `)`)? attr-dict";
  let hasVerifier = 1;
}

def Host_SizeOp : Host_Op<"size", [Pure]> {
  let summary = "The bytes that a tensor takes";
  let description = [{
    The product of the sizes and of the element's bytes; zero if a size is
    negative, and never more than 2^48.

    Example:

    ```mlir
    %bytes = host.size tensor<?x8xf32>(%n)
    ```
  }];
  let arguments = (ins TypeAttrOf<AnyRankedTensor>:$type,
                       Variadic<Index>:$sizes);
  let results = (outs Index:$bytes);
  let assemblyFormat = "$type (`(` $sizes^ `)`)? attr-dict";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Host_AllocOp : Host_Op<"alloc"> {
  let summary = "Memory to be planned";
  let description = [{
    `bytes` must depend on nothing but constants and symbols. The buffer lives
    as long as something uses it. `host-plan-arena` turns it into a part of the
    arena.

    Example:

    ```mlir
    %b = host.alloc %bytes
    ```
  }];
  let arguments = (ins Index:$bytes, OptionalAttr<StrAttr>:$name);
  let results = (outs Res<Host_BufferType, "", [MemAlloc]>:$buffer);
  let assemblyFormat = "$bytes ($name^)? attr-dict";
}

def Host_ArenaOp : Host_Op<"arena", [Pure]> {
  let summary = "A part of the arena";
  let description = [{
    Example:

    ```mlir
    %b = host.arena %offset
    ```
  }];
  let arguments = (ins Index:$offset);
  let results = (outs Host_BufferType:$buffer);
  let assemblyFormat = "$offset attr-dict";
}

def Host_AllocateOp : Host_Op<"allocate"> {
  let summary = "Memory whose size only the run settles";
  let description = [{
    The buffer lives until the run ends.

    Example:

    ```mlir
    %b = host.allocate %bytes
    ```
  }];
  let arguments = (ins Index:$bytes);
  let results = (outs Res<Host_BufferType, "", [MemAlloc]>:$buffer);
  let assemblyFormat = "$bytes attr-dict";
}

def Host_LaunchOp : Host_Op<"launch", [
    AttrSizedOperandSegments, MemoryEffects<[MemRead, MemWrite]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A run of a kernel";
  let description = [{
    Runs the tasks of the `dispatch.kernel` one after the other. Their `args`
    are the addresses of `reads`, the addresses of `writes`, and `words`.

    Example:

    ```mlir
    dispatch.kernel @softmax_3 tasks [@task] counts [@count] scratch 0 nodes ["prob"]
    host.launch @softmax_3 reads(%x) writes(%y) words(%n, %n)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel,
                       Variadic<Host_BufferType>:$reads,
                       Variadic<Host_BufferType>:$writes,
                       Variadic<Index>:$words);
  let assemblyFormat = [{
    $kernel (`reads` `(` $reads^ `)`)? (`writes` `(` $writes^ `)`)?
    (`words` `(` $words^ `)`)? attr-dict
  }];
}

def Host_LoadOp : Host_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "Reads one element";
  let description = [{
    `index` counts elements of the result's type.

    Example:

    ```mlir
    %v = host.load %b[%i] : i64
    ```
  }];
  let arguments = (ins Host_BufferType:$buffer, Index:$index);
  let results = (outs AnyTypeOf<[AnySignlessInteger, AnyFloat]>:$value);
  let assemblyFormat = "$buffer `[` $index `]` attr-dict `:` type($value)";
}

def Host_StoreOp : Host_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes one element";
  let description = [{
    Example:

    ```mlir
    host.store %v, %b[%i] : i64
    ```
  }];
  let arguments = (ins AnyTypeOf<[AnySignlessInteger, AnyFloat]>:$value,
                       Host_BufferType:$buffer, Index:$index);
  let assemblyFormat = [{
    $value `,` $buffer `[` $index `]` attr-dict `:` type($value)
  }];
}

def Host_CopyOp : Host_Op<"copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Copies bytes";
  let description = [{
    The two buffers are the same or do not overlap.

    Example:

    ```mlir
    host.copy %from to %to bytes %n
    ```
  }];
  let arguments = (ins Host_BufferType:$from, Host_BufferType:$to,
                       Index:$bytes);
  let assemblyFormat = "$from `to` $to `bytes` $bytes attr-dict";
}

def Host_RequireOp : Host_Op<"require", [MemoryEffects<[MemWrite]>]> {
  let summary = "Ends the run with a fault unless a condition holds";
  let description = [{
    `fault` is a `weft_fault`; `detail` is the offending value, `wanted` what it
    should be or stay below, `place` where in the model that is.

    Example:

    ```mlir
    host.require %equal fault 3 detail %size wanted %other "node 'a' (Add)"
    ```
  }];
  let arguments = (ins I1:$condition, I32Attr:$fault, Index:$detail,
                       Index:$wanted, StrAttr:$place);
  let assemblyFormat = [{
    $condition `fault` $fault `detail` $detail `wanted` $wanted $place attr-dict
  }];
}

def Host_SettleOp : Host_Op<"settle", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Says that states may be written next";
  let description = [{
    Where kernels run on a GPU, their faults are known here, and end the run.

    Example:

    ```mlir
    host.settle
    ```
  }];
  let assemblyFormat = "attr-dict";
}

#endif // WEFT_DIALECT_HOST_IR_HOSTOPS
