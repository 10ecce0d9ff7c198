//===- Ops.cpp - weft ops -------------------------------------------------===//

#include "Commands.h"
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace weft::tool;
using nlohmann::json;

static std::string join(const json &list) {
  std::string text;
  for (const json &item : list)
    text += (text.empty() ? "" : " ") + item.get<std::string>();
  return text;
}

static void printONNX(const json &operators) {
  printf(
      "ONNX operators that have a lowering, the version they are of, and the "
      "element types\nof their first operand:\n\n");
  size_t count = 0;
  std::string others;
  for (const json &op : operators) {
    std::string name = op["name"];
    if (!op["lowered"]) {
      others += "  " + name + "\n";
      continue;
    }
    ++count;
    printf("  %-30s %3d  %s\n", name.c_str(), op["version"].get<int>(),
           join(op["types"]).c_str());
  }
  printf("\n%zu of %zu have one; these have none:\n\n%s", count,
         operators.size(), others.c_str());
}

static void printTensorOps(const json &ops) {
  printf("\nOps of the tensor language, and how a kernel computes them:\n\n"
         "  %-24s %-16s %-10s %s\n",
         "op", "computed", "reference", "gradient");
  for (const json &op : ops)
    printf("  %-24s %-16s %-10s %s\n", op["name"].get<std::string>().c_str(),
           op["computed"].get<std::string>().c_str(),
           op["evaluated"] ? "yes" : "no",
           op["gradient"].get<std::string>().c_str());
}

void weft::tool::addOps(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "ops", "List the operators and ops that Weft knows, and what it can do "
             "with them");
  auto asJSON = std::make_shared<bool>(false);
  command->add_flag("--json", *asJSON, "Print JSON");
  command->callback([=] {
    char *text = weft_describe_operators();
    json all = json::parse(text);
    weft_message_free(text);
    if (*asJSON) {
      printf("%s\n", all.dump(2).c_str());
      return;
    }
    printONNX(all["onnx"]);
    printTensorOps(all["weft"]);
  });
}
