//===- Batch.h - Which dimension of each value is the batch ---------------===//

#ifndef WEFT_LIB_IMPORT_BATCH_H
#define WEFT_LIB_IMPORT_BATCH_H

#include "Model.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <deque>

namespace weft::importer {

/// Where the samples are in a value: dimension `dim` is as if it were three, of
/// which the samples are the one in the middle.
struct BatchPlace {
  int64_t dim;
  int64_t inner = 1, outer = 1; ///< sizes of the others

  bool isAlone() const { return inner == 1 && outer == 1; }
  /// Entries of the dimension for each sample.
  int64_t perSample() const { return inner * outer; }
  BatchPlace movedTo(int64_t other) const { return {other, inner, outer}; }
  bool operator==(const BatchPlace &) const = default;
};

/// Follows the batch through the nodes of a graph whose types are known. Each
/// operator has a rule that tells where the samples are in its results, given
/// where they are in its operands, and that no result mixes them. Nodes that
/// hold the size of the batch in a constant are rewritten for any size.
class BatchAnalysis {
public:
  using Shape = llvm::SmallVector<int64_t>; ///< -1: not known

  /// A number that is known, of the size of the batch that the model has; with
  /// `perSample` it grows with the batch.
  struct Entry {
    int64_t number;
    bool perSample = false;
  };
  /// A scalar or a vector of such numbers.
  struct Sizes {
    llvm::SmallVector<Entry> entries;
    bool isScalar = false;
  };

  /// Which of the places that a reshape may give to the samples to try, for the
  /// first reshapes that leave a choice.
  using Choices = llvm::SmallVector<unsigned>;

  /// `typed` is the same graph with as many types as can be known.
  BatchAnalysis(::onnx::GraphProto &graph, const ::onnx::GraphProto &typed,
                int64_t batch, Choices choices = {});

  /// Makes constants of arithmetic on sizes, for the batch that the model has.
  /// Returns whether there was any.
  bool fold();

  /// Fails, saying of which node and why, if the batch can't be followed.
  llvm::Error run();

  std::optional<BatchPlace> getPlace(llvm::StringRef value) const;

  /// How many places each reshape so far that left a choice had.
  llvm::ArrayRef<unsigned> getNumPlaces() const { return numPlaces; }

  /// A value that must have a symbolic size once the types are inferred anew,
  /// and the node that makes it.
  struct Expectation {
    std::string value;
    int64_t dim;
    std::string node;
  };
  llvm::ArrayRef<Expectation> getExpectations() const { return expectations; }

private:
  using Node = ::onnx::NodeProto;
  using Rule = llvm::Error (BatchAnalysis::*)(Node &);
  static const llvm::StringMap<Rule> &getRules();

  // What is known of values.
  llvm::Error fail(const Node &node, const llvm::Twine &why) const;
  std::optional<BatchPlace> placeOf(const Node &node, int operand) const;
  std::optional<Shape> shapeOf(llvm::StringRef value) const;
  llvm::Expected<Shape> needShape(const Node &node,
                                  llvm::StringRef value) const;
  std::optional<Sizes> valueOf(const Node &node, int operand) const;
  std::optional<Shape> constantOf(const Node &node, int operand) const;
  /// The integers in operand or, in older nodes, attribute `name`.
  std::optional<Shape> listOf(const Node &node, int operand,
                              llvm::StringRef name) const;
  void place(const Node &node, int result, BatchPlace at);
  void placeAll(const Node &node, BatchPlace at);
  llvm::Error runNode(Node &node);
  bool readsBatch(const Node &node) const;
  bool readsBatch(const ::onnx::GraphProto &graph) const;

  // Arithmetic on sizes.
  std::optional<Sizes> evaluate(const Node &node) const;
  std::optional<Sizes> evaluateShape(const Node &node) const;
  std::optional<Sizes> evaluateParts(const Node &node) const;
  std::optional<Sizes> evaluateElements(const Node &node) const;
  std::optional<Entry> evaluateEntry(llvm::StringRef op, Entry a,
                                     Entry b) const;
  bool makeConstant(Node &node, const Sizes &value) const;
  void noteSplat(const Node &node);

  // Rewriting.
  void setConstant(Node &node, int operand, llvm::ArrayRef<int64_t> values);
  std::string addConstant(llvm::ArrayRef<int64_t> values);
  bool shrink(Node &node, int operand, int64_t dim);
  std::string makeName(llvm::StringRef stem);
  void spread(Node &node, int operand, int64_t dim, llvm::StringRef like,
              int64_t likeDim);

  // The rules.
  llvm::Error followOthers(Node &node, int except, int64_t rank,
                           BatchPlace at) const;
  llvm::Error checkAlone(Node &node, int first) const;
  llvm::Error checkAxis(Node &node, int64_t axis, int64_t rank,
                        BatchPlace at) const;
  llvm::Error broadcast(Node &node);
  llvm::Error samplesFirst(Node &node);
  llvm::Error alongAxis(Node &node);
  llvm::Error normalize(Node &node);
  llvm::Error reduce(Node &node);
  llvm::Error argument(Node &node);
  llvm::Error transpose(Node &node);
  llvm::Error squeeze(Node &node);
  llvm::Error unsqueeze(Node &node);
  llvm::Error flatten(Node &node);
  llvm::Error reshape(Node &node);
  llvm::Error expand(Node &node);
  llvm::Error constantOfShape(Node &node);
  llvm::Error concat(Node &node);
  llvm::Error slice(Node &node);
  llvm::Error gather(Node &node);
  llvm::Error gatherElements(Node &node);
  llvm::Error matMul(Node &node);
  llvm::Error gemm(Node &node);
  llvm::Error einsum(Node &node);
  llvm::Error recurrent(Node &node);
  llvm::Error pad(Node &node);
  llvm::Error tile(Node &node);
  llvm::Error resize(Node &node);

  ::onnx::GraphProto &graph;
  int64_t batch;
  Choices choices, numPlaces;
  llvm::StringMap<BatchPlace> places;
  llvm::StringMap<Shape> shapes;
  llvm::StringMap<Sizes> values;
  llvm::StringMap<int32_t> elementTypes;
  /// Values that have the same element everywhere: that, as a tensor.
  llvm::StringMap<::onnx::TensorProto> splats;
  /// Values that are computed from the size of the batch.
  llvm::StringSet<> sizes;
  /// Values that are others with a dimension of 1 repeated.
  llvm::StringMap<std::string> repeated;
  llvm::StringSet<> names;
  std::vector<Expectation> expectations;
  /// Nodes to come before the one that is being looked at.
  std::vector<::onnx::NodeProto> before;
  std::deque<::onnx::TensorProto> added;
};

/// An attribute of a node, or what it is by default.
int64_t getInt(const ::onnx::NodeProto &node, llvm::StringRef name,
               int64_t otherwise);

/// How often `axis` is among `axes`, which may count from the end.
int64_t count(llvm::ArrayRef<int64_t> axes, int64_t axis, int64_t rank);

/// The product of sizes; -1 if one is not known.
int64_t multiply(llvm::ArrayRef<int64_t> sizes);

} // namespace weft::importer

#endif // WEFT_LIB_IMPORT_BATCH_H
