// RUN: weft compile %s --start-at=tensor --emit=host -o %t.host
// RUN: FileCheck %s --input-file %t.host
// RUN: weft-test-program %s --from=tensor --input=f32[2]1,2 --input=f32[6x2]0.5 | FileCheck %s --check-prefix=VALUES
// RUN: weft verify %s --start-at=tensor --random | FileCheck %s --check-prefix=VERIFY
// VERIFY-NOT: WRONG
// VERIFY: launches agree with the reference evaluator

// A loop that collects rows, which are sums so far: it has one buffer for them,
// the output's copy is the only one, and each step writes a row. An inner loop
// goes on with the buffer of the outer one.
//       CHECK: func.func @main()
//       CHECK:   %[[START:.+]] = host.input 1
//       CHECK:   host.copy %[[START]] to %[[ALL:.+]] bytes %[[BYTES:.+]] loc
//       CHECK:   scf.for
//   CHECK-NOT:     bytes %[[BYTES]]
//       CHECK:     host.launch @[[UPDATE:update_slice_[0-9]+]] reads(%{{.+}}, %[[ALL]]) writes(%[[ALL]])
//   CHECK-NOT:     bytes %[[BYTES]]
//       CHECK:   host.output
//       CHECK:   host.copy %[[ALL]] to %{{.+}} bytes %[[BYTES]]
// The kernel runs over the row, not over all rows.
//       CHECK: func.func private @[[UPDATE]]_count(
//       CHECK:   %[[ONE:.+]] = arith.constant 1 : i64
//       CHECK:   return %[[ONE]]

// VALUES: output0: f32[6x2]1,2,2,4,3,6,4,8,0.5,0.5,0.5,0.5
func.func @main(%x: tensor<2xf32>, %start: tensor<6x2xf32>) -> tensor<6x2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = weft.constant dense<0.0> : tensor<2xf32>
  %0:2 = scf.for %i = %c0 to %c2 step %c1 iter_args(%sum = %zero, %all = %start) -> (tensor<2xf32>, tensor<6x2xf32>) {
    %1:2 = scf.for %j = %c0 to %c2 step %c1 iter_args(%s = %sum, %a = %all) -> (tensor<2xf32>, tensor<6x2xf32>) {
      %next = weft.add %s, %x : tensor<2xf32>
      %row = weft.reshape %next : tensor<2xf32> to tensor<1x2xf32>
      %base = arith.muli %i, %c2 : index
      %at = arith.addi %base, %j : index
      %more = weft.update_slice %row into %a [%at, 0] : tensor<1x2xf32>, tensor<6x2xf32>
      scf.yield %next, %more : tensor<2xf32>, tensor<6x2xf32>
    }
    scf.yield %1#0, %1#1 : tensor<2xf32>, tensor<6x2xf32>
  }
  return %0#1 : tensor<6x2xf32>
}
