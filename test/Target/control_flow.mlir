// RUN: weft-test-program %s --input='f32[3]1,2,3' --input='i64[]5' \
// RUN:   --input='f32[2]1,1' --input='bool[]1' | FileCheck %s
// RUN: weft-test-program %s --input='f32[3]1,2,3' --input='i64[]0' \
// RUN:   --input='f32[2]1,1' --input='bool[]0' \
// RUN:   | FileCheck %s --check-prefix=NONE

// A carried value of symbolic size, doubled n times by a for and by a while
// loop, one that grows in each iteration, and a branch.
//      CHECK: for: f32[3]32,64,96
// CHECK-NEXT: while: f32[3]32,64,96
// CHECK-NEXT: grown: f32[64]2,2,2,2
// CHECK-NEXT: branch: f32[3]2,4,6
// CHECK-NEXT: input: f32[3]1,2,3
// CHECK-NEXT: swapped: f32[3]2,4,6
// CHECK-NEXT: other: f32[3]1,2,3
//      NONE: for: f32[3]1,2,3
// NONE-NEXT: while: f32[3]1,2,3
// NONE-NEXT: grown: f32[2]1,1
// NONE-NEXT: branch: f32[3]1,2,3
// NONE-NEXT: input: f32[3]1,2,3
// NONE-NEXT: swapped: f32[3]1,2,3
// NONE-NEXT: other: f32[3]2,4,6

func.func @main(%x: tensor<?xf32> {weft.name = "x", weft.dims = ["N"]},
                %times: tensor<i64> {weft.name = "times"},
                %seed: tensor<?xf32> {weft.name = "seed"},
                %flag: tensor<i1> {weft.name = "flag"})
    -> (tensor<?xf32> {weft.name = "for"}, tensor<?xf32> {weft.name = "while"},
        tensor<?xf32> {weft.name = "grown"},
        tensor<?xf32> {weft.name = "branch"},
        tensor<?xf32> {weft.name = "input"},
        tensor<?xf32> {weft.name = "swapped"},
        tensor<?xf32> {weft.name = "other"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %t = tensor.extract %times[] : tensor<i64>
  %last = arith.index_cast %t : i64 to index

  %for = scf.for %i = %c0 to %last step %c1 iter_args(%v = %x) -> tensor<?xf32> {
    %m = tensor.dim %v, %c0 : tensor<?xf32>
    %d = dispatch.launch @double ins(%v : tensor<?xf32>) sizes(%m) -> tensor<?xf32>
    scf.yield %d : tensor<?xf32>
  }

  %while:2 = scf.while (%i = %c0, %v = %x) : (index, tensor<?xf32>) -> (index, tensor<?xf32>) {
    %go = arith.cmpi slt, %i, %last : index
    scf.condition(%go) %i, %v : index, tensor<?xf32>
  } do {
  ^bb0(%i: index, %v: tensor<?xf32>):
    %next = arith.addi %i, %c1 : index
    %d = dispatch.launch @double ins(%v : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
    scf.yield %next, %d : index, tensor<?xf32>
  }

  %grown = scf.for %i = %c0 to %last step %c1 iter_args(%v = %seed) -> tensor<?xf32> {
    %m = tensor.dim %v, %c0 : tensor<?xf32>
    %m2 = arith.muli %m, %c2 : index
    %d = dispatch.launch @twice ins(%v : tensor<?xf32>) sizes(%m2) -> tensor<?xf32>
    scf.yield %d : tensor<?xf32>
  }

  %f = tensor.extract %flag[] : tensor<i1>
  %branch = scf.if %f -> tensor<?xf32> {
    %d = dispatch.launch @double ins(%x : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
    scf.yield %d : tensor<?xf32>
  } else {
    scf.yield %x : tensor<?xf32>
  }

  %doubled = dispatch.launch @double ins(%x : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
  %swap:2 = scf.for %i = %c0 to %last step %c1 iter_args(%a = %x, %b = %doubled) -> (tensor<?xf32>, tensor<?xf32>) {
    scf.yield %b, %a : tensor<?xf32>, tensor<?xf32>
  }
  return %for, %while#1, %grown, %branch, %x, %swap#0, %swap#1 : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
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

// Writes min(2^x, 2) of the input twice, in a row.
dispatch.kernel @twice tasks [@twice_task] counts [@double_count] scratch 0 nodes ["twice"]

func.func private @twice_task(%run: !llvm.ptr, %args: !llvm.ptr, %begin: i64,
                              %end: i64, %scratch: !llvm.ptr) {
  %x = llvm.load %args : !llvm.ptr -> !llvm.ptr
  %y_at = llvm.getelementptr %args[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %y = llvm.load %y_at : !llvm.ptr -> !llvm.ptr
  %n_at = llvm.getelementptr %args[2] : (!llvm.ptr) -> !llvm.ptr, i64
  %n64 = llvm.load %n_at : !llvm.ptr -> i64
  %first = arith.index_cast %begin : i64 to index
  %last = arith.index_cast %end : i64 to index
  %c1 = arith.constant 1 : index
  %two = arith.constant 2.0 : f32
  scf.for %i = %first to %last step %c1 {
    %k = arith.index_cast %i : index to i64
    %from = llvm.getelementptr %x[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %a = llvm.load %from : !llvm.ptr -> f32
    %b = math.exp2 %a : f32
    %c = arith.minimumf %b, %two : f32
    %to = llvm.getelementptr %y[%k] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %c, %to : f32, !llvm.ptr
    %k2 = arith.addi %k, %n64 : i64
    %to2 = llvm.getelementptr %y[%k2] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %c, %to2 : f32, !llvm.ptr
  }
  return
}
