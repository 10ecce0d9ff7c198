// Cases run in each mode of the emulator that is named, and count in each.
// RUN: env WEFT_LIBCUDA=%build/fake-cuda/libcuda.so.1 weft-test-kernels %s --cuda-arch sm_80 --modes lazy,nonsense 2>&1 | FileCheck %s

// CHECK: WEFT_FAKECUDA_MODE: "nonsense" is not plain, race or lazy
// CHECK: 2 passed, 0 failed, 0 skipped

func.func @right(%x: tensor<33xf32>) -> tensor<33xf32> {
  %0 = weft.exp %x : tensor<33xf32>
  return %0 : tensor<33xf32>
}
