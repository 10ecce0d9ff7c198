// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// Each rule against central differences, in f64 by the reference evaluator, and
// the gradient of what it emits. No rule may be missing, and none may be wrong.
// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}abs: formula, right {{.*}}, second, right
func.func @abs(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.abs %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}acos: formula, right {{.*}}, second, right
func.func @acos(%x: tensor<3x5xf64> {test.range = [-0.9, 0.9]}) -> tensor<3x5xf64> {
  %y = weft.acos %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}acosh: formula, right {{.*}}, second, right
func.func @acosh(%x: tensor<3x5xf64> {test.range = [1.2, 4.0]}) -> tensor<3x5xf64> {
  %y = weft.acosh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}asin: formula, right {{.*}}, second, right
func.func @asin(%x: tensor<3x5xf64> {test.range = [-0.9, 0.9]}) -> tensor<3x5xf64> {
  %y = weft.asin %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}asinh: formula, right {{.*}}, second, right
func.func @asinh(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = weft.asinh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}atan: formula, right {{.*}}, second, right
func.func @atan(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = weft.atan %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}atanh: formula, right {{.*}}, second, right
func.func @atanh(%x: tensor<3x5xf64> {test.range = [-0.9, 0.9]}) -> tensor<3x5xf64> {
  %y = weft.atanh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}cos: formula, right {{.*}}, second, right
func.func @cos(%x: tensor<3x5xf64> {test.range = [-6.0, 6.0]}) -> tensor<3x5xf64> {
  %y = weft.cos %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}cosh: formula, right {{.*}}, second, right
func.func @cosh(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = weft.cosh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}erf: formula, right {{.*}}, second, right
func.func @erf(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.erf %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}exp: formula, right {{.*}}, second, right
func.func @exp(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = weft.exp %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}log: formula, right {{.*}}, second, right
func.func @log(%x: tensor<3x5xf64> {test.range = [0.3, 9.0]}) -> tensor<3x5xf64> {
  %y = weft.log %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}logistic: formula, right {{.*}}, second, right
func.func @logistic(%x: tensor<3x5xf64> {test.range = [-5.0, 5.0]}) -> tensor<3x5xf64> {
  %y = weft.logistic %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}neg: formula, right {{.*}}, second, right
func.func @neg(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.neg %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}sin: formula, right {{.*}}, second, right
func.func @sin(%x: tensor<3x5xf64> {test.range = [-6.0, 6.0]}) -> tensor<3x5xf64> {
  %y = weft.sin %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}sinh: formula, right {{.*}}, second, right
func.func @sinh(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = weft.sinh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}sqrt: formula, right {{.*}}, second, right
func.func @sqrt(%x: tensor<3x5xf64> {test.range = [0.3, 9.0]}) -> tensor<3x5xf64> {
  %y = weft.sqrt %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}tan: formula, right {{.*}}, second, right
func.func @tan(%x: tensor<3x5xf64> {test.range = [-1.0, 1.0]}) -> tensor<3x5xf64> {
  %y = weft.tan %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}tanh: formula, right {{.*}}, second, right
func.func @tanh(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = weft.tanh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}add: formula, right {{.*}}, second, right
func.func @add(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.add %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}div: formula, right {{.*}}, second, right
func.func @div(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.div %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}max: formula, right {{.*}}, second, right
func.func @max(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.max %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}min: formula, right {{.*}}, second, right
func.func @min(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.min %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}mul: formula, right {{.*}}, second, right
func.func @mul(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.mul %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}pow: formula, right {{.*}}, second, right
func.func @pow(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.pow %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}sub: formula, right {{.*}}, second, right
func.func @sub(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.sub %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

// Away from its jumps.
//     CHECK: {{^}}rem: formula, right {{.*}}, second, right
func.func @rem(%a: tensor<7xf64> {test.range = [6.2, 6.8]},
               %b: tensor<7xf64> {test.range = [1.9, 2.0]}) -> tensor<7xf64> {
  %y = weft.rem %a, %b : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}same_operand_twice: formula, right {{.*}}, second, right
func.func @same_operand_twice(%a: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.mul %a, %a : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}rectifier: formula, right {{.*}}, second, right
func.func @rectifier(%a: tensor<7xf64>, %b: tensor<7xf64>) -> tensor<7xf64> {
  %c = weft.compare le %a, %b : tensor<7xf64>
  %y = weft.select %c, %b, %a : tensor<7xi1>, tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}select: formula, right {{.*}}, second, right
func.func @select(%c: tensor<7xi1>, %a: tensor<7xf64>, %b: tensor<7xf64>)
    -> tensor<7xf64> {
  %y = weft.select %c, %a, %b : tensor<7xi1>, tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}cast: formula, right {{.*}}, second, right
func.func @cast(%a: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.cast %a : tensor<7xf64> to tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}empty: formula, right {{.*}}, second, right
func.func @empty(%a: tensor<0xf64>) -> tensor<0xf64> {
  %y = weft.tanh %a : tensor<0xf64>
  return %y : tensor<0xf64>
}

//     CHECK: {{^}}ceil: zero
func.func @ceil(%a: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.ceil %a : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}floor: zero
func.func @floor(%a: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.floor %a : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}round: zero
func.func @round(%a: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.round %a : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}sign: zero
func.func @sign(%a: tensor<7xf64>) -> tensor<7xf64> {
  %y = weft.sign %a : tensor<7xf64>
  return %y : tensor<7xf64>
}

//     CHECK: {{^}}is_nan: zero
func.func @is_nan(%a: tensor<7xf64>) -> tensor<7xi1> {
  %y = weft.is_nan %a : tensor<7xf64>
  return %y : tensor<7xi1>
}
