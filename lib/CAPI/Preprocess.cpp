//===- Preprocess.cpp - Graphs in front of models -------------------------===//

#include "Session.h"
#include <cstring>

using namespace mlir;
using namespace weft;

extern "C" weft_outcome weft_encode_graph(const char *path, char **graph,
                                          char **message) {
  *graph = nullptr;
  CompileSession session(nullptr);
  FailureOr<std::string> text = encodeGraph(session.context, path);
  if (succeeded(text))
    *graph = strdup(text->c_str());
  return session.finish(failed(text), message);
}

extern "C" weft_outcome weft_read_property(const char *path, const char *key,
                                           char **value, char **message) {
  *value = nullptr;
  CompileSession session(nullptr);
  FailureOr<std::optional<std::string>> found =
      readProperty(session.context, path, key);
  if (succeeded(found) && *found)
    *value = strdup((*found)->c_str());
  return session.finish(failed(found), message);
}

extern "C" weft_outcome weft_export_merged(const char *path, const char *graph,
                                           const char *output, char **message) {
  weft_compile_options options;
  weft_compile_options_init(&options);
  options.preprocess = graph;
  CompileSession session(&options);
  session.readFile(path);
  return session.finish(
      !session.module ||
          (output && failed(exportONNX(*session.module, output))),
      message);
}
