// RUN: weft-opt %s -dispatch-join="max-elements=8 max-words=8" -split-input-file | FileCheck %s

// Updates of small parameters are one region, with inputs of both in it once. A
// large one stays alone, and so does what something else needs.
// CHECK-LABEL: func.func @updates(
//  CHECK-SAME:   %[[A:.+]]: tensor<4xf32>, %[[B:.+]]: tensor<2x2xf32>, %[[C:.+]]: tensor<9xf32>, %[[R:.+]]: tensor<f32>)
//       CHECK:   %[[MAX:.+]] = dispatch.region
//       CHECK:   %[[LARGE:.+]] = dispatch.region ins(%[[C]] : tensor<9xf32>)
//       CHECK:   %[[USED:.+]] = dispatch.region ins(%[[A]] : tensor<4xf32>)
//   CHECK-NOT:   dispatch.region
//       CHECK:   dispatch.region ins(%[[USED]] : tensor<4xf32>)
//       CHECK:     weft.reduce
//       CHECK:   %[[BOTH:.+]]:2 = dispatch.region ins(%[[A]], %[[R]], %[[B]] : tensor<4xf32>, tensor<f32>, tensor<2x2xf32>) -> tensor<4xf32>, tensor<2x2xf32>
//  CHECK-NEXT:   ^bb0(%[[A0:.+]]: tensor<4xf32>, %[[R0:.+]]: tensor<f32>, %[[B0:.+]]: tensor<2x2xf32>):
//  CHECK-NEXT:     %[[RATE:.+]] = weft.broadcast %[[R0]]
//  CHECK-NEXT:     %[[NEW:.+]] = weft.sub %[[A0]], %[[RATE]]
//  CHECK-NEXT:     %[[NEG:.+]] = weft.neg %[[B0]]
//  CHECK-NEXT:     dispatch.yield %[[NEW]], %[[NEG]]
//       CHECK:   return %[[BOTH]]#0, %[[BOTH]]#1, %[[LARGE]]
func.func @updates(%a: tensor<4xf32>, %b: tensor<2x2xf32>, %c: tensor<9xf32>, %r: tensor<f32>)
    -> (tensor<4xf32>, tensor<2x2xf32>, tensor<9xf32>, tensor<f32>, tensor<f32>) {
  %first = dispatch.region ins(%a : tensor<4xf32>) -> tensor<f32> {
  ^bb0(%x: tensor<4xf32>):
    %5 = weft.reduce max %x axes [0] : tensor<4xf32>
    dispatch.yield %5 : tensor<f32>
  }
  %0 = dispatch.region ins(%a, %r : tensor<4xf32>, tensor<f32>) -> tensor<4xf32> {
  ^bb0(%a0: tensor<4xf32>, %r0: tensor<f32>):
    %5 = weft.broadcast %r0 dims [] : tensor<f32> to tensor<4xf32>
    %6 = weft.sub %a0, %5 : tensor<4xf32>
    dispatch.yield %6 : tensor<4xf32>
  }
  %1 = dispatch.region ins(%c : tensor<9xf32>) -> tensor<9xf32> {
  ^bb0(%c0: tensor<9xf32>):
    %5 = weft.neg %c0 : tensor<9xf32>
    dispatch.yield %5 : tensor<9xf32>
  }
  %2 = dispatch.region ins(%a : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a0: tensor<4xf32>):
    %5 = weft.neg %a0 : tensor<4xf32>
    dispatch.yield %5 : tensor<4xf32>
  }
  %3 = dispatch.region ins(%2 : tensor<4xf32>) -> tensor<f32> {
  ^bb0(%a0: tensor<4xf32>):
    %5 = weft.reduce sum %a0 axes [0] : tensor<4xf32>
    dispatch.yield %5 : tensor<f32>
  }
  %4 = dispatch.region ins(%b : tensor<2x2xf32>) -> tensor<2x2xf32> {
  ^bb0(%b0: tensor<2x2xf32>):
    %5 = weft.neg %b0 : tensor<2x2xf32>
    dispatch.yield %5 : tensor<2x2xf32>
  }
  return %0, %4, %1, %3, %first : tensor<4xf32>, tensor<2x2xf32>, tensor<9xf32>, tensor<f32>, tensor<f32>
}

// -----

// A launch has room for so many addresses: of four regions with three words, two
// go together.
// CHECK-LABEL: func.func @words(
//       CHECK: weft.reduce
// CHECK-COUNT-2: dispatch.region ins(%{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}} : {{.+}}) -> tensor<4xf32>, tensor<4xf32>
//     CHECK-NOT: dispatch.region
func.func @words(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %d: tensor<4xf32>,
    %e: tensor<4xf32>, %f: tensor<4xf32>, %g: tensor<4xf32>, %h: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>) {
  %first = dispatch.region ins(%a : tensor<4xf32>) -> tensor<f32> {
  ^bb0(%x: tensor<4xf32>):
    %5 = weft.reduce max %x axes [0] : tensor<4xf32>
    dispatch.yield %5 : tensor<f32>
  }
  %0 = dispatch.region ins(%a, %b : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %5 = weft.add %x, %y : tensor<4xf32>
    dispatch.yield %5 : tensor<4xf32>
  }
  %1 = dispatch.region ins(%c, %d : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %5 = weft.add %x, %y : tensor<4xf32>
    dispatch.yield %5 : tensor<4xf32>
  }
  %2 = dispatch.region ins(%e, %f : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %5 = weft.sub %x, %y : tensor<4xf32>
    dispatch.yield %5 : tensor<4xf32>
  }
  %3 = dispatch.region ins(%g, %h : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %5 = weft.sub %x, %y : tensor<4xf32>
    dispatch.yield %5 : tensor<4xf32>
  }
  return %0, %1, %2, %3, %first : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>
}

// -----

// Numbers that are made one from another, each of a whole tensor, are one
// region; one of a large tensor is not among them, nor what two need.
// CHECK-LABEL: func.func @totals(
//  CHECK-SAME:   %[[A:.+]]: tensor<4xf32>, %[[B:.+]]: tensor<2x3xf32>, %[[C:.+]]: tensor<9xf32>, %[[N:.+]]: tensor<f32>)
//       CHECK:   %[[LARGE:.+]] = dispatch.region ins(%[[C]], %[[N]] :
//       CHECK:   %[[BOTH:.+]] = dispatch.region ins(%[[A]], %[[LARGE]], %[[B]] : tensor<4xf32>, tensor<f32>, tensor<2x3xf32>) -> tensor<f32>
//  CHECK-NEXT:   ^bb0(%[[A0:.+]]: tensor<4xf32>, %[[L0:.+]]: tensor<f32>, %[[B0:.+]]: tensor<2x3xf32>):
//  CHECK-NEXT:     %[[MAX:.+]] = weft.reduce max %[[A0]]
//  CHECK-NEXT:     %[[MORE:.+]] = weft.add %[[MAX]], %[[L0]]
//  CHECK-NEXT:     %[[SUM:.+]] = weft.reduce sum %[[B0]]
//  CHECK-NEXT:     %[[ALL:.+]] = weft.mul %[[SUM]], %[[MORE]]
//  CHECK-NEXT:     dispatch.yield %[[ALL]]
//       CHECK:   %[[LAST:.+]] = dispatch.region ins(%[[A]], %[[BOTH]] :
//       CHECK:   return %[[BOTH]], %[[LAST]]
func.func @totals(%a: tensor<4xf32>, %b: tensor<2x3xf32>, %c: tensor<9xf32>, %n: tensor<f32>)
    -> (tensor<f32>, tensor<f32>) {
  %0 = dispatch.region ins(%c, %n : tensor<9xf32>, tensor<f32>) -> tensor<f32> {
  ^bb0(%x: tensor<9xf32>, %y: tensor<f32>):
    %5 = weft.reduce max %x axes [0] : tensor<9xf32>
    %6 = weft.add %5, %y : tensor<f32>
    dispatch.yield %6 : tensor<f32>
  }
  %1 = dispatch.region ins(%a, %0 : tensor<4xf32>, tensor<f32>) -> tensor<f32> {
  ^bb0(%x: tensor<4xf32>, %y: tensor<f32>):
    %5 = weft.reduce max %x axes [0] : tensor<4xf32>
    %6 = weft.add %5, %y : tensor<f32>
    dispatch.yield %6 : tensor<f32>
  }
  %2 = dispatch.region ins(%b, %1 : tensor<2x3xf32>, tensor<f32>) -> tensor<f32> {
  ^bb0(%x: tensor<2x3xf32>, %y: tensor<f32>):
    %5 = weft.reduce sum %x axes [0, 1] : tensor<2x3xf32>
    %6 = weft.mul %5, %y : tensor<f32>
    dispatch.yield %6 : tensor<f32>
  }
  %3 = dispatch.region ins(%a, %2 : tensor<4xf32>, tensor<f32>) -> tensor<f32> {
  ^bb0(%x: tensor<4xf32>, %y: tensor<f32>):
    %5 = weft.reduce min %x axes [0] : tensor<4xf32>
    %6 = weft.add %5, %y : tensor<f32>
    dispatch.yield %6 : tensor<f32>
  }
  return %2, %3 : tensor<f32>, tensor<f32>
}

// -----

// What a function makes of its arguments first is made together, however large
// it is; what comes later is not.
// CHECK-LABEL: func.func @casts(
//  CHECK-SAME:   %[[A:.+]]: tensor<4x4xf32>, %[[B:.+]]: tensor<20xf32>)
//       CHECK:   %[[BOTH:.+]]:2 = dispatch.region ins(%[[A]], %[[B]] : tensor<4x4xf32>, tensor<20xf32>) -> tensor<4x4xbf16>, tensor<20xbf16>
//       CHECK:   %[[SUM:.+]] = dispatch.region ins(%[[BOTH]]#0 : tensor<4x4xbf16>)
//       CHECK:   %[[LATE:.+]] = dispatch.region ins(%[[A]] : tensor<4x4xf32>)
//       CHECK:   return %[[BOTH]]#1, %[[SUM]], %[[LATE]]
func.func @casts(%a: tensor<4x4xf32>, %b: tensor<20xf32>)
    -> (tensor<20xbf16>, tensor<4xbf16>, tensor<4x4xf16>) {
  %0 = dispatch.region ins(%a : tensor<4x4xf32>) -> tensor<4x4xbf16> {
  ^bb0(%x: tensor<4x4xf32>):
    %5 = weft.cast %x : tensor<4x4xf32> to tensor<4x4xbf16>
    dispatch.yield %5 : tensor<4x4xbf16>
  }
  %1 = dispatch.region ins(%b : tensor<20xf32>) -> tensor<20xbf16> {
  ^bb0(%x: tensor<20xf32>):
    %5 = weft.cast %x : tensor<20xf32> to tensor<20xbf16>
    dispatch.yield %5 : tensor<20xbf16>
  }
  %2 = dispatch.region ins(%0 : tensor<4x4xbf16>) -> tensor<4xbf16> {
  ^bb0(%x: tensor<4x4xbf16>):
    %5 = weft.reduce sum %x axes [1] : tensor<4x4xbf16>
    dispatch.yield %5 : tensor<4xbf16>
  }
  %3 = dispatch.region ins(%a : tensor<4x4xf32>) -> tensor<4x4xf16> {
  ^bb0(%x: tensor<4x4xf32>):
    %5 = weft.cast %x : tensor<4x4xf32> to tensor<4x4xf16>
    dispatch.yield %5 : tensor<4x4xf16>
  }
  return %1, %2, %3 : tensor<20xbf16>, tensor<4xbf16>, tensor<4x4xf16>
}
