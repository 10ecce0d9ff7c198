//===- ProductWarpgroup.h - Products by the instructions of sm_90a --------===//

#ifndef WEFT_LIB_CODEGEN_CUDA_PRODUCTWARPGROUP_H
#define WEFT_LIB_CODEGEN_CUDA_PRODUCTWARPGROUP_H

#include "ProductMatrix.h"

namespace weft::cuda {

class WarpgroupEmitter : public MatrixEmitter {
public:
  WarpgroupEmitter(const Product &product, const TileShape &shape,
                   int64_t splits);

protected:
  unsigned alignment() override { return MatrixCopy::kAlignment; }
  int32_t together() override;
  void publishPart(RegionEmitter &e) override;
  /// Begins with the products of a part; those of the part before are there.
  Values multiplyPart(RegionEmitter &e, mlir::Value at, Values sums) override;
  void endParts(RegionEmitter &e) override;

  bool isAlone; ///< on a multiprocessor
};

} // namespace weft::cuda

#endif // WEFT_LIB_CODEGEN_CUDA_PRODUCTWARPGROUP_H
