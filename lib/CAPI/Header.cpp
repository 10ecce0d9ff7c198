//===- Header.cpp - The C header of a compiled program --------------------===//

#include "Session.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weft;
using namespace weft::host;

namespace {

/// Writes the header of one program. Names of the model go into identifiers and
/// comments, whatever characters they have.
class HeaderWriter {
public:
  HeaderWriter(ModuleOp module, StringRef name, StringRef prefix,
               llvm::raw_ostream &os)
      : module(module), name(toIdentifier(name)), prefix(prefix), os(os) {}

  void write();

private:
  static std::string toIdentifier(StringRef text);
  static std::string toComment(StringRef text);
  std::string describe(PortAttr port);
  void describePorts(StringRef title, StringRef attrName);
  void describeSizes();
  void describeUse();
  void numberPorts(StringRef kind, StringRef attrName);

  template <typename Attr> SmallVector<Attr> get(StringRef attrName) {
    return llvm::to_vector(
        module->getAttrOfType<ArrayAttr>(attrName).getAsRange<Attr>());
  }

  ModuleOp module;
  std::string name;
  StringRef prefix;
  llvm::raw_ostream &os;
  llvm::StringSet<> taken;
};

} // namespace

std::string HeaderWriter::toIdentifier(StringRef text) {
  std::string result;
  for (char c : text)
    result += llvm::isAlnum(c) ? c : '_';
  if (result.empty() || llvm::isDigit(result.front()))
    result.insert(0, "m");
  return result;
}

std::string HeaderWriter::toComment(StringRef text) {
  std::string result;
  for (char c : text) {
    if (c == '/' && !result.empty() && result.back() == '*')
      result += ' ';
    result += llvm::isPrint(c) ? c : '?';
  }
  return result;
}

/// The name that the element type has in `weft_dtype`, in small letters.
static std::string getDtypeName(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  if (type.isInteger(1))
    return "bool";
  return text.starts_with("ui") ? text.substr(1) : text;
}

std::string HeaderWriter::describe(PortAttr port) {
  auto symbols = get<SymbolAttr>(symbolsAttrName);
  std::string text = toComment(port.getName()) + ": " +
                     getDtypeName(port.getType().getElementType()) + " [";
  for (auto [dim, size] : llvm::enumerate(port.getType().getShape())) {
    int32_t symbol = port.getSymbols()[dim];
    text += dim ? ", " : "";
    text += symbol >= 0           ? toComment(symbols[symbol].getName())
            : symbol == fixedSize ? std::to_string(size)
                                  : "?";
  }
  return text + "]";
}

void HeaderWriter::describePorts(StringRef title, StringRef attrName) {
  os << " *\n * " << title << "\n";
  for (auto [number, port] : llvm::enumerate(get<PortAttr>(attrName)))
    os << " *   " << number << "  " << describe(port) << "\n";
}

void HeaderWriter::describeSizes() {
  auto symbols = get<SymbolAttr>(symbolsAttrName);
  if (!symbols.empty())
    os << " *\n * Sizes that the inputs of a run choose\n";
  for (SymbolAttr symbol : symbols) {
    os << " *   " << toComment(symbol.getName()) << ": " << symbol.getMin();
    if (symbol.getMax() == std::numeric_limits<int64_t>::max())
      os << " or more\n";
    else
      os << " to " << symbol.getMax() << "\n";
  }
}

void HeaderWriter::describeUse() {
  std::string upper = StringRef(name).upper();
  os << " *\n"
        " * Link the program and the runtime (libweft-rt.a, or -lweft-rt and\n"
        " * -lpthread -ldl), with the folder of weft-rt/weft.h among the\n"
        " * include paths. To run it:\n"
        " *\n"
        " *   weft_model *model;\n"
        " *   weft_session *session;\n"
        " *   weft_tensor inputs["
     << upper << "_NUM_INPUTS] = {...};\n"
     << " *   weft_tensor outputs[" << upper << "_NUM_OUTPUTS] = {0};\n"
     << " *   if (" << name << "_open(&model) ||\n"
     << " *       weft_session_create(model, NULL, &session) ||\n"
     << " *       weft_session_run(session, " << upper
     << "_NUM_INPUTS, inputs,\n"
     << " *                        " << upper << "_NUM_OUTPUTS, outputs))\n"
     << " *     fprintf(stderr, \"%s\\n\", weft_last_error());\n"
     << " */\n\n";
}

void HeaderWriter::numberPorts(StringRef kind, StringRef attrName) {
  std::string upper = StringRef(name).upper();
  auto ports = get<PortAttr>(attrName);
  os << "/* Places in the list of " << kind.lower() << "s. */\nenum {\n";
  for (auto [number, port] : llvm::enumerate(ports)) {
    std::string constant = upper + "_" + kind.str() + "_" +
                           StringRef(toIdentifier(port.getName())).upper();
    if (!taken.insert(constant).second)
      taken.insert(constant += "_" + std::to_string(number));
    os << "  " << constant << " = " << number << ", /* " << describe(port)
       << " */\n";
  }
  os << "  " << upper << "_NUM_" << kind << "S = " << ports.size()
     << "\n};\n\n";
}

void HeaderWriter::write() {
  std::string guard = "WEFT_MODEL_" + StringRef(name).upper() + "_H";
  std::string query = (prefix + "_program_query").str();
  os << "/* " << name << ": ";
  if (StringRef graph = getProgramName(module); !graph.empty())
    os << "the model \"" << toComment(graph) << "\", ";
  os << "compiled by Weft\n";
  describePorts("Inputs", inputsAttrName);
  describePorts("Outputs; the run settles sizes that are ?", outputsAttrName);
  describeSizes();
  describeUse();
  os << "#ifndef " << guard << "\n#define " << guard << "\n\n"
     << "#include \"weft-rt/weft.h\"\n#include <stddef.h>\n\n"
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  numberPorts("INPUT", inputsAttrName);
  numberPorts("OUTPUT", outputsAttrName);
  os << "/* The program itself, the one symbol that it exports. NULL if it "
        "was\n"
        "   made for another version of the runtime than `abi`. */\n"
     << "const weft_program *" << query << "(uint32_t abi);\n\n"
     << "/* Makes a model of it, which is to be given to\n"
        "   weft_model_release(). */\n"
     << "static inline weft_status " << name << "_open(weft_model **out) {\n"
     << "  return weft_model_wrap(" << query
     << "(WEFT_PROGRAM_ABI), NULL, out);\n}\n\n"
     << "#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard << " */\n";
}

void weft::writeProgramHeader(ModuleOp module, StringRef name, StringRef prefix,
                              llvm::raw_ostream &os) {
  HeaderWriter(module, name, prefix, os).write();
}
