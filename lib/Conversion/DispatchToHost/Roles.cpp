//===- Roles.cpp - What arguments and results are for ---------------------===//

#include "Converter.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

LogicalResult Converter::readRole(DictionaryAttr attrs, const Twine &of,
                                  PortRole &out) {
  Attribute given = attrs ? attrs.get(kRoleAttr) : Attribute();
  if (!given)
    return success();
  auto name = dyn_cast<StringAttr>(given);
  std::optional<Role> role =
      name ? symbolizeRole(name.getValue()) : std::nullopt;
  if (!role)
    return from.emitOpError()
           << of << " has the '" << kRoleAttr << "' " << given
           << ", wanted one of \"data\", \"parameter\", \"state\", \"rate\", "
              "\"seed\", \"loss\", \"metric\"";
  out.role = *role;
  return success();
}

bool weft::host::isStateRole(Role role) {
  return role == Role::parameter || role == Role::state;
}

LogicalResult Converter::readInitial(unsigned argument) {
  DictionaryAttr attrs = from.getArgAttrDict(argument);
  Attribute given = attrs ? attrs.get(kInitialAttr) : Attribute();
  if (!given)
    return success();
  std::string name = getPortName(attrs, "input", argument);
  if (!isStateRole(inputRoles[argument].role))
    return from.emitOpError()
           << "argument '" << name << "' has '" << kInitialAttr
           << "', but is neither a parameter nor state";
  Type type = from.getArgumentTypes()[argument];
  bool isTensor = isa<DenseElementsAttr, ExternAttr>(given);
  TypedAttr value = isTensor ? cast<TypedAttr>(given) : TypedAttr();
  if (!value || value.getType() != type) {
    InFlightDiagnostic error = from.emitOpError()
                               << "argument '" << name << "' is " << type
                               << ", but its '" << kInitialAttr << "' is ";
    return value ? error << "of type " << value.getType() : error << given;
  }
  inputRoles[argument].initial = value;
  return success();
}

LogicalResult Converter::readTwin(unsigned result) {
  DictionaryAttr attrs = from.getResultAttrDict(result);
  std::string name = getPortName(attrs, "output", result);
  Attribute given = attrs ? attrs.get(kTwinAttr) : Attribute();
  if (isStateRole(outputRoles[result].role) != static_cast<bool>(given))
    return from.emitOpError()
           << "result '" << name << "' is "
           << (given ? "neither a parameter nor state, but has"
                     : "a parameter or state, but has no")
           << " '" << kTwinAttr << "'";
  if (!given)
    return success();
  auto twin = dyn_cast<IntegerAttr>(given);
  uint64_t number = twin ? twin.getValue().getLimitedValue() : ~uint64_t(0);
  if (number >= inputRoles.size())
    return from.emitOpError()
           << "result '" << name << "' has the '" << kTwinAttr << "' " << given
           << ", wanted the number of one of " << inputRoles.size()
           << " arguments";
  PortRole &argument = inputRoles[number];
  if (argument.twin >= 0)
    return from.emitOpError()
           << "results " << argument.twin << " and " << result
           << " are both the new value of argument " << number;
  argument.twin = result;
  outputRoles[result].twin = number;
  return success();
}

LogicalResult Converter::readRoles() {
  inputRoles.resize(from.getNumArguments());
  outputRoles.resize(from.getNumResults());
  for (unsigned i : llvm::seq(from.getNumArguments()))
    if (failed(readRole(from.getArgAttrDict(i), "argument " + Twine(i),
                        inputRoles[i])) ||
        failed(readInitial(i)))
      return failure();
  for (unsigned i : llvm::seq(from.getNumResults()))
    if (failed(readRole(from.getResultAttrDict(i), "result " + Twine(i),
                        outputRoles[i])) ||
        failed(readTwin(i)))
      return failure();
  for (auto [i, argument] : llvm::enumerate(inputRoles))
    if (isStateRole(argument.role) != (argument.twin >= 0))
      return from.emitOpError()
             << "argument '" << getPortName(from.getArgAttrDict(i), "input", i)
             << "' is "
             << (isStateRole(argument.role)
                     ? "a parameter or state, but no result is its new value"
                     : "neither a parameter nor state, but a result is its "
                       "new value");
  return success();
}
