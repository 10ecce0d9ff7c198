//===- Models.cpp - Upstream ops that have a gradient ---------------------===//

#include "ControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weft/Autodiff/Autodiff.h"
#include "weft/Interfaces/Interfaces.h"
#include "weft/Interfaces/Tangent.h"

using namespace mlir;
using namespace weft;
using namespace weft::detail;

namespace {
using Grads = SmallVectorImpl<Value>;

template <typename Model, typename OpTy>
struct GradientModel : DifferentiableOpInterface::ExternalModel<Model, OpTy> {
  static GradientRule getGradientRule() { return GradientRule::Formula; }

  LogicalResult buildGradient(Operation *op, OpBuilder &builder,
                              ValueRange resultGrads,
                              Grads &operandGrads) const {
    return Model::build(cast<OpTy>(op), builder, resultGrads, operandGrads);
  }
};

struct CastModel : GradientModel<CastModel, tensor::CastOp> {
  static LogicalResult build(tensor::CastOp op, OpBuilder &builder,
                             ValueRange resultGrads, Grads &operandGrads) {
    operandGrads.push_back(tensor::CastOp::create(
        builder, op.getLoc(), op.getSource().getType(), resultGrads[0]));
    return success();
  }
};

/// Of tensors, by a condition that is one truth value.
struct SelectModel : GradientModel<SelectModel, arith::SelectOp> {
  static LogicalResult build(arith::SelectOp op, OpBuilder &builder,
                             ValueRange resultGrads, Grads &operandGrads) {
    const auto &tangent = TangentInterface::get(op.getContext());
    Location loc = op.getLoc();
    Value given = resultGrads[0];
    Value zero = tangent.createZero(builder, loc, op.getResult());
    Value condition = op.getCondition();
    operandGrads.push_back({});
    operandGrads.push_back(
        arith::SelectOp::create(builder, loc, condition, given, zero));
    operandGrads.push_back(
        arith::SelectOp::create(builder, loc, condition, zero, given));
    return success();
  }
};

struct IfModel : GradientModel<IfModel, scf::IfOp> {
  static constexpr auto build = buildIfGradient;
};
struct ForModel : GradientModel<ForModel, scf::ForOp> {
  static constexpr auto build = buildForGradient;
};
struct WhileModel : GradientModel<WhileModel, scf::WhileOp> {
  static constexpr auto build = buildWhileGradient;
};
} // namespace

void weft::registerGradientModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    tensor::CastOp::attachInterface<CastModel>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    arith::SelectOp::attachInterface<SelectModel>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, scf::SCFDialect *) {
    scf::IfOp::attachInterface<IfModel>(*context);
    scf::ForOp::attachInterface<ForModel>(*context);
    scf::WhileOp::attachInterface<WhileModel>(*context);
  });
}
