// A step of training as it is at the stage "tensor": y = (x + table[rows]) * w,
// the loss is the mean of y^2; w is trained with momentum, the table without.
// The norm of the old w goes to the caller. StepTest.cpp runs it.
//
// RUN: weft compile %s --start-at=tensor --emit=host -o %t.host
// RUN: FileCheck %s --input-file %t.host
// RUN: weft verify %s --start-at=tensor --random | FileCheck %s --check-prefix=VERIFY
// VERIFY-NOT: WRONG
// VERIFY: launches agree with the reference evaluator

// States are written last, each in place of its old value; what the caller gets
// before the last kernel that can fault is marked.
//       CHECK: host.outputs = [#host.port<"loss", tensor<f32>, [], role = loss>,
//  CHECK-SAME:   #host.port<"w.new", tensor<4xf32>, [-1], role = parameter, twin = 2>,
//  CHECK-SAME:   #host.port<"w.momentum.new", tensor<4xf32>, [-1], role = state, twin = 3>,
//  CHECK-SAME:   #host.port<"table.new", tensor<16x4xf32>, [-1, -1], role = parameter, twin = 4>,
//  CHECK-SAME:   #host.port<"step.new", tensor<i64>, [], role = state, twin = 5>,
//  CHECK-SAME:   #host.port<"norm", tensor<f32>, [], role = metric, early = true>,
//  CHECK-SAME:   #host.port<"y", tensor<8xf32>, [-1], early = true>]
//       CHECK: func.func @main()
//       CHECK:   %[[W:.+]] = host.input 2
//       CHECK:   %[[TABLE:.+]] = host.input 4
//       CHECK:   host.launch @scatter_nd
//       CHECK:   %[[NEWW:.+]] = host.output 1
//       CHECK:   host.copy %[[W]] to %[[NEWW]]
//       CHECK:   host.launch @{{.+}} reads({{.*}}%[[NEWW]]) writes({{.*}}%[[NEWW]])
//       CHECK:   %[[NEWTABLE:.+]] = host.output 3
//       CHECK:   host.copy %[[TABLE]] to %[[NEWTABLE]]
//       CHECK:   host.launch @{{.+}} reads({{.*}}%[[NEWTABLE]]) writes({{.*}}%[[NEWTABLE]])
//       CHECK:   return
func.func @main(
    %x: tensor<8x4xf32> {weft.name = "x"},
    %rows: tensor<8xi64> {weft.name = "rows"},
    %w: tensor<4xf32> {weft.name = "w", weft.role = "parameter",
                       weft.initial = dense<[1.0, -0.5, 0.25, 2.0]> : tensor<4xf32>},
    %v: tensor<4xf32> {weft.name = "w.momentum", weft.role = "state"},
    %table: tensor<16x4xf32> {weft.name = "table", weft.role = "parameter",
                              weft.initial = dense<0.5> : tensor<16x4xf32>},
    %steps: tensor<i64> {weft.name = "weft.step", weft.role = "state"},
    %rate: tensor<f32> {weft.name = "rate", weft.role = "rate"})
    -> (tensor<f32> {weft.name = "loss", weft.role = "loss"},
        tensor<4xf32> {weft.name = "w.new", weft.role = "parameter", weft.twin = 2 : i64},
        tensor<4xf32> {weft.name = "w.momentum.new", weft.role = "state", weft.twin = 3 : i64},
        tensor<16x4xf32> {weft.name = "table.new", weft.role = "parameter", weft.twin = 4 : i64},
        tensor<i64> {weft.name = "step.new", weft.role = "state", weft.twin = 5 : i64},
        tensor<f32> {weft.name = "norm", weft.role = "metric"},
        tensor<8xf32> {weft.name = "y"}) {
  // Forward.
  %read = weft.gather %table, %rows axis 0 : tensor<16x4xf32>, tensor<8xi64>
  %z = weft.add %x, %read : tensor<8x4xf32>
  %y = weft.contract %z, %w batch [] x [] contract [1] x [0] : tensor<8x4xf32>, tensor<4xf32> -> tensor<8xf32>
  %y2 = weft.mul %y, %y : tensor<8xf32>
  %sum = weft.reduce sum %y2 axes [0] : tensor<8xf32>
  %eighth = weft.constant dense<0.125> : tensor<f32>
  %loss = weft.mul %sum, %eighth : tensor<f32>
  %w2 = weft.mul %w, %w : tensor<4xf32>
  %norm = weft.reduce sum %w2 axes [0] : tensor<4xf32>

  // Backward.
  %quarter = weft.constant dense<0.25> : tensor<8xf32>
  %dy = weft.mul %quarter, %y : tensor<8xf32>
  %dw = weft.contract %z, %dy batch [] x [] contract [0] x [0] : tensor<8x4xf32>, tensor<8xf32> -> tensor<4xf32>
  %dyWide = weft.broadcast %dy dims [0] : tensor<8xf32> to tensor<8x4xf32>
  %wWide = weft.broadcast %w dims [1] : tensor<4xf32> to tensor<8x4xf32>
  %dz = weft.mul %dyWide, %wWide : tensor<8x4xf32>
  %zeros = weft.constant dense<0.0> : tensor<16x4xf32>
  %rowColumn = weft.reshape %rows : tensor<8xi64> to tensor<8x1xi64>
  %dtable = weft.scatter_nd add %zeros, %rowColumn, %dz : tensor<16x4xf32>, tensor<8x1xi64>, tensor<8x4xf32>

  // Update.
  %decay = weft.constant dense<0.9> : tensor<4xf32>
  %old = weft.mul %decay, %v : tensor<4xf32>
  %newV = weft.add %old, %dw : tensor<4xf32>
  %rate4 = weft.broadcast %rate dims [] : tensor<f32> to tensor<4xf32>
  %change = weft.mul %rate4, %newV : tensor<4xf32>
  %newW = weft.sub %w, %change : tensor<4xf32>
  %rateWide = weft.broadcast %rate dims [] : tensor<f32> to tensor<16x4xf32>
  %tableChange = weft.mul %rateWide, %dtable : tensor<16x4xf32>
  %newTable = weft.sub %table, %tableChange : tensor<16x4xf32>
  %one = weft.constant dense<1> : tensor<i64>
  %newSteps = weft.add %steps, %one : tensor<i64>
  return %loss, %newW, %newV, %newTable, %newSteps, %norm, %y
    : tensor<f32>, tensor<4xf32>, tensor<4xf32>, tensor<16x4xf32>, tensor<i64>, tensor<f32>, tensor<8xf32>
}
