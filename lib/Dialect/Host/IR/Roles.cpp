//===- Roles.cpp - What the ports of a program are for --------------------===//

#include "weft/Dialect/Host/IR/HostDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

using EmitError = function_ref<InFlightDiagnostic()>;

/// Whether `role` may be one of an input's (of an output's otherwise).
static bool isAllowed(Role role, bool isInput) {
  switch (role) {
  case Role::data:
  case Role::parameter:
  case Role::state:
    return true;
  case Role::rate:
  case Role::seed:
    return isInput;
  case Role::loss:
  case Role::metric:
    return !isInput;
  }
  llvm_unreachable("unknown role");
}

/// What a port of `role` must be, in words; empty if it is.
static StringRef findFault(Role role, RankedTensorType type) {
  Type elementType = type.getElementType();
  bool isScalar = type.getRank() == 0;
  switch (role) {
  case Role::data:
    return "";
  case Role::parameter:
  case Role::state:
    return type.hasStaticShape() ? "" : "a tensor of fixed sizes";
  case Role::rate:
  case Role::loss:
    return isScalar && elementType.isF32() ? "" : "tensor<f32>";
  case Role::seed:
    return isScalar && elementType.isInteger(64) ? "" : "tensor<i64>";
  case Role::metric:
    return isScalar ? "" : "a scalar";
  }
  llvm_unreachable("unknown role");
}

/// Checks each port on its own, and that a step has one rate, seed and loss.
static LogicalResult verifySide(ArrayRef<PortAttr> ports, bool isInput,
                                EmitError emitError) {
  StringRef kind = isInput ? "input" : "output";
  DenseMap<Role, PortAttr> single;
  for (PortAttr port : ports) {
    Role role = port.getRole();
    if (!isAllowed(role, isInput))
      return emitError() << kind << " '" << port.getName() << "' has the role '"
                         << stringifyRole(role) << "', which is one of "
                         << (isInput ? "outputs" : "inputs");
    StringRef wanted = findFault(role, port.getType());
    if (!wanted.empty())
      return emitError() << kind << " '" << port.getName() << "' has the role '"
                         << stringifyRole(role) << "' and the type "
                         << port.getType() << ", wanted " << wanted;
    if (isInput && port.getEarly())
      return emitError() << "input '" << port.getName()
                         << "' is marked as written early";
    if (!isInput && port.getInitial())
      return emitError() << "output '" << port.getName() << "' starts from "
                         << port.getInitial() << ", which only an input does";
    if (role != Role::rate && role != Role::seed && role != Role::loss)
      continue;
    auto [it, isFirst] = single.try_emplace(role, port);
    if (!isFirst)
      return emitError() << kind << "s '" << it->second.getName() << "' and '"
                         << port.getName() << "' both have the role '"
                         << stringifyRole(role) << "'";
  }
  return success();
}

/// Checks that the twins of `ports` are in `others` and name them back.
static LogicalResult verifyTwins(ArrayRef<PortAttr> ports, StringRef kind,
                                 ArrayRef<PortAttr> others, StringRef otherKind,
                                 EmitError emitError) {
  for (auto [number, port] : llvm::enumerate(ports)) {
    if (!port.isState())
      continue;
    size_t twin = port.getTwin();
    if (twin >= others.size())
      return emitError() << kind << " '" << port.getName() << "' has the twin "
                         << twin << ", but there are " << others.size() << " "
                         << otherKind << "s";
    PortAttr other = others[twin];
    if (other.getTwin() != static_cast<int64_t>(number))
      return emitError() << kind << " '" << port.getName() << "' has the twin '"
                         << other.getName() << "', which is not its twin";
    if (other.getType() != port.getType())
      return emitError() << kind << " '" << port.getName() << "' is "
                         << port.getType() << ", but its twin, " << otherKind
                         << " '" << other.getName() << "', is "
                         << other.getType();
    if (other.getRole() != port.getRole())
      return emitError() << kind << " '" << port.getName() << "' has the role '"
                         << stringifyRole(port.getRole()) << "', but its twin, "
                         << otherKind << " '" << other.getName()
                         << "', has the role '"
                         << stringifyRole(other.getRole()) << "'";
  }
  return success();
}

LogicalResult weft::host::verifyRoles(ArrayRef<PortAttr> inputs,
                                      ArrayRef<PortAttr> outputs,
                                      EmitError emitError) {
  if (failed(verifySide(inputs, /*isInput=*/true, emitError)) ||
      failed(verifySide(outputs, /*isInput=*/false, emitError)) ||
      failed(verifyTwins(inputs, "input", outputs, "output", emitError)))
    return failure();
  return verifyTwins(outputs, "output", inputs, "input", emitError);
}
