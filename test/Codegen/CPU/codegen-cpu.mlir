// RUN: weft-opt %s -codegen-cpu | FileCheck %s

// Equal regions share a kernel, which names the nodes of both.
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:     %[[X:.+]]: tensor<4xf32>, %[[Y:.+]]: tensor<4xf32>)
//       CHECK:   dispatch.launch @[[KERNEL:.+]] ins(%[[X]] :
//       CHECK:   dispatch.launch @[[KERNEL]] ins(%[[Y]] :
//       CHECK:   arith.negf
//       CHECK: dispatch.kernel @[[KERNEL]] tasks [@[[KERNEL]]_task]
//  CHECK-SAME:     nodes ["first", "second"]
//   CHECK-NOT: dispatch.region
module attributes {weft.cpu = {l1_bytes = 32768 : i64, l2_bytes = 524288 : i64,
                               vector_bytes = 32 : i64, vector_registers = 16 : i64}} {
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = dispatch.region ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>):
    %n = weft.neg %x0 : tensor<4xf32> loc("first")
    dispatch.yield %n : tensor<4xf32>
  }
  %1 = dispatch.region ins(%y : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>):
    %n = weft.neg %x0 : tensor<4xf32> loc("second")
    dispatch.yield %n : tensor<4xf32>
  }
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
}
