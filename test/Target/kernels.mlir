// RUN: weft-test-program %s --input='f32[5]1,2,3,4,5' | FileCheck %s
// RUN: weft-test-program %s --input='f32[5]1,2,3,4,5' --library=%t.so \
// RUN:   | FileCheck %s

// Two launches in a row, the second one in the program's output.
//      CHECK: y: f32[5]4,6,8,10,12

func.func @main(%x: tensor<?xf32> {weft.name = "x", weft.dims = ["N"]})
    -> (tensor<?xf32> {weft.name = "y", weft.dims = ["N"]}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %one = weft.constant dense<1.0> : tensor<1xf32>
  %0 = dispatch.launch @add ins(%x, %one : tensor<?xf32>, tensor<1xf32>) sizes(%n) -> tensor<?xf32>
  %1 = dispatch.launch @double ins(%0 : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
  return %1 : tensor<?xf32>
}

dispatch.kernel @add tasks [@add_task] counts [@add_count] scratch 0 nodes ["add"]

func.func private @add_task(%run: !llvm.ptr, %args: !llvm.ptr, %begin: i64,
                            %end: i64, %scratch: !llvm.ptr) {
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %one_at = llvm.getelementptr %args[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %one = llvm.load %one_at : !llvm.ptr -> !llvm.ptr
  %y_at = llvm.getelementptr %args[2] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %y = llvm.load %y_at : !llvm.ptr -> !llvm.ptr
  %b = llvm.load %one : !llvm.ptr -> f32
  %first = arith.index_cast %begin : i64 to index
  %last = arith.index_cast %end : i64 to index
  %c1 = arith.constant 1 : index
  scf.for %i = %first to %last step %c1 {
    %k = arith.index_cast %i : index to i64
    %from = llvm.getelementptr %x[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %a = llvm.load %from : !llvm.ptr -> f32
    %sum = arith.addf %a, %b : f32
    %to = llvm.getelementptr %y[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %sum, %to : f32, !llvm.ptr
  }
  return
}

func.func private @add_count(%args: !llvm.ptr) -> i64 {
  %n_at = llvm.getelementptr %args[3] : (!llvm.ptr) -> !llvm.ptr, i64
  %n = llvm.load %n_at : !llvm.ptr -> i64
  return %n : i64
}

dispatch.kernel @double tasks [@double_task] counts [@double_count] scratch 0 nodes ["double"]

func.func private @double_task(%run: !llvm.ptr, %args: !llvm.ptr, %begin: i64,
                               %end: i64, %scratch: !llvm.ptr) {
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %y_at = llvm.getelementptr %args[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %y = llvm.load %y_at : !llvm.ptr -> !llvm.ptr
  %first = arith.index_cast %begin : i64 to index
  %last = arith.index_cast %end : i64 to index
  %c1 = arith.constant 1 : index
  scf.for %i = %first to %last step %c1 {
    %k = arith.index_cast %i : index to i64
    %from = llvm.getelementptr %x[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %a = llvm.load %from : !llvm.ptr -> f32
    %sum = arith.addf %a, %a : f32
    %to = llvm.getelementptr %y[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %sum, %to : f32, !llvm.ptr
  }
  return
}

func.func private @double_count(%args: !llvm.ptr) -> i64 {
  %n_at = llvm.getelementptr %args[2] : (!llvm.ptr) -> !llvm.ptr, i64
  %n = llvm.load %n_at : !llvm.ptr -> i64
  return %n : i64
}
