// The graph: values and nodes owned by index, edited by a few verbs that keep its invariants.
//
// Invariants (verify() in ir/verify.h checks exactly these):
//  1. A value has at most one source, and exactly one if it is read: a graph input, a capture of an outer value,
//     constant data, or one node output.
//  2. A value's uses list each (node, operand) that reads it, once.
//  3. An id names something alive; a removed node's outputs are removed with it.
//  4. nodes() is in topological order after sort(); the pass manager calls sort() after every pass.
//  5. A sub-graph's captures correspond one to one, in order of attributes, to its node's captures.
//  6. A constant's data has the dtype and dims of its type; a quantized type has an integer dtype and as many zero
//     points as scales, one where it is per tensor, one per channel (and block) along its axis else.
// Value names are only for people: they may repeat or be empty. Names of graph inputs are their values' names and are
// unique; graph outputs carry their own names, so that rewiring a value never loses the name of an output.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ir/tensor.h"
#include "ir/type.h"
#include "support/ids.h"
#include "support/result.h"

namespace edgec {

using NodeId = Id<struct NodeTag>;
using ValueId = Id<struct ValueTag>;

class Graph;
using SubGraph = std::shared_ptr<const Graph>;
/// Operator set versions by domain; "" is ONNX's own ("ai.onnx" is read as "").
using Opsets = std::map<std::string, std::int64_t>;
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// An attribute kind the IR does not look into (sparse tensors): its serialized ONNX AttributeProto.
struct OpaqueAttribute {
  std::string bytes;
  friend bool operator==(const OpaqueAttribute &, const OpaqueAttribute &) = default;
};

using AttributeValue = std::variant<std::int64_t, float, std::string, Tensor, SubGraph, Type, std::vector<std::int64_t>,
                                    std::vector<float>, std::vector<std::string>, std::vector<Tensor>,
                                    std::vector<SubGraph>, std::vector<Type>, OpaqueAttribute>;

struct Attribute {
  std::string name;
  AttributeValue value;
};

/// One operator applied. ValueId{} among inputs or outputs is an omitted optional one.
struct Node {
  std::string op;
  std::string domain; // "" is ONNX's own
  std::string name;   // as in the file; may be empty
  std::vector<ValueId> inputs;
  std::vector<ValueId> captures; // outer values that the sub-graphs read
  std::vector<ValueId> outputs;
  std::vector<Attribute> attributes;
  std::vector<std::string> origins; // names of the input file's nodes that this one stands for
  std::string doc;
  std::string overload; // of functions
  Metadata metadata;

  [[nodiscard]] bool is(std::string_view type) const { return op == type && domain.empty(); }
  [[nodiscard]] const Attribute *attribute(std::string_view wanted) const;
  /// The attribute as T, or nothing where it is absent or of another kind.
  template <class T>
  [[nodiscard]] const T *get(std::string_view wanted) const {
    const Attribute *found = attribute(wanted);
    return found ? std::get_if<T>(&found->value) : nullptr;
  }
  [[nodiscard]] std::int64_t get_int(std::string_view wanted, std::int64_t otherwise) const;
  [[nodiscard]] float get_float(std::string_view wanted, float otherwise) const;
  [[nodiscard]] std::string get_string(std::string_view wanted, std::string_view otherwise) const;
  [[nodiscard]] std::vector<std::int64_t> get_ints(std::string_view wanted) const; // absent: empty
  [[nodiscard]] ValueId input(std::size_t index) const { return index < inputs.size() ? inputs[index] : ValueId{}; }
  /// What users call it: its first origin, else its name, else "Conv#12" by its output.
  [[nodiscard]] std::string label() const;
};

/// Where a value is read: operand `index` of `node` (captures count on from the inputs).
struct Use {
  NodeId node;
  std::uint32_t index = 0;
  friend bool operator==(const Use &, const Use &) = default;
};

struct Value {
  std::string name;
  Type type;
  std::optional<Tensor> data; // constants; data->dims and dtype agree with type
  NodeId producer;            // none: graph input, capture or constant
  std::uint32_t output = 0;   // which output of the producer
  std::vector<Use> uses;
  Metadata metadata;
  std::string doc;
};

struct GraphOutput {
  ValueId value;
  std::string name;
};

class Graph {
public:
  std::string name;
  std::string doc;
  Opsets opsets;
  Metadata metadata;

  // Reading. References are invalidated by the verbs below.
  [[nodiscard]] const Node &node(NodeId id) const;
  [[nodiscard]] const Value &value(ValueId id) const;
  [[nodiscard]] bool alive(NodeId id) const;
  [[nodiscard]] bool alive(ValueId id) const;
  /// Nodes in order; a copy, so the graph may be edited while walking it (ask alive()).
  [[nodiscard]] std::vector<NodeId> nodes() const;
  [[nodiscard]] std::size_t node_count() const;
  /// Every value that is alive, by id.
  [[nodiscard]] std::vector<ValueId> values() const;
  /// Ids are below this.
  [[nodiscard]] std::size_t value_bound() const { return values_.size(); }
  [[nodiscard]] std::size_t node_bound() const { return nodes_.size(); }
  [[nodiscard]] const std::vector<ValueId> &inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<ValueId> &captures() const { return captures_; }
  [[nodiscard]] const std::vector<GraphOutput> &outputs() const { return outputs_; }
  [[nodiscard]] bool is_input(ValueId id) const;
  [[nodiscard]] bool is_output(ValueId id) const;
  [[nodiscard]] const Tensor *constant(ValueId id) const; // null: not a constant, or id is none
  [[nodiscard]] const Node *producer(ValueId id) const;   // null: none
  /// Number of reads: operands and graph outputs.
  [[nodiscard]] std::size_t use_count(ValueId id) const;
  /// The only reader of a value that is read exactly once and is not a graph output.
  [[nodiscard]] NodeId sole_user(ValueId id) const;
  [[nodiscard]] std::int64_t opset(std::string_view domain = "") const; // 0: not imported

  // Building.
  ValueId add_input(std::string name, Type type);
  ValueId add_capture(std::string name, Type type);
  ValueId add_constant(Tensor data, std::string name = {}, std::optional<Quant> quant = std::nullopt);
  ValueId add_value(Type type, std::string name = {});
  void add_output(ValueId value, std::string name);
  /// Adds a node whose inputs, captures and outputs are set; outputs are fresh values without a producer.
  /// It stands before `before`, or last.
  NodeId add_node(Node node, NodeId before = {});
  /// Adds a node with one fresh output of the given type, and gives that output.
  ValueId add_op(Node node, Type type, NodeId before = {});

  // Editing.
  void set_type(ValueId id, Type type);
  void set_name(ValueId id, std::string name);
  void set_data(ValueId id, Tensor data, std::optional<Quant> quant = std::nullopt); // id is a constant
  void set_metadata(ValueId id, Metadata metadata, std::string doc);
  void set_input(NodeId id, std::size_t index, ValueId value); // grows the list with none as needed
  void drop_input(NodeId id, std::size_t count);               // keeps the first `count` inputs
  void set_capture(NodeId id, std::size_t index, ValueId value);
  void set_attribute(NodeId id, std::string_view name, AttributeValue value);
  void remove_attribute(NodeId id, std::string_view name);
  /// The operator type, and domain, change; operands stay.
  void set_op(NodeId id, std::string op, std::string domain = {});
  void set_node_name(NodeId id, std::string name);
  void add_origins(NodeId id, std::span<const std::string> origins);
  /// Takes over what another node is known by: origins, doc and metadata.
  void set_history(NodeId id, const Node &from);
  /// Replaces a node's sub-graph attribute and its captures together.
  void set_subgraph(NodeId id, std::string_view attribute, SubGraph graph, std::vector<ValueId> captures);
  void set_output(std::size_t index, ValueId value);
  /// Every operand and graph output that reads `from` reads `to` instead.
  void replace_uses(ValueId from, ValueId to);
  /// Takes an output off its node and gives the node a fresh one of `type`; uses of the old value stay with it, and it
  /// has no producer until some node is added for it. Used to put a node between a producer and its readers.
  ValueId detach_output(NodeId id, std::size_t index, Type type);
  /// Removes a node whose outputs nobody reads (asserted).
  void remove(NodeId id);
  /// Removes an input or a constant that nobody reads (asserted).
  void remove(ValueId id);
  /// Removes nodes whose outputs nobody reads, and constants that nobody reads; true if something went.
  bool remove_dead();
  /// Puts nodes in topological order, stable with regard to the present one. Error: a cycle, named.
  Status sort();
  /// Renumbers without holes; ids held outside become invalid.
  void compact();

private:
  std::vector<Node> nodes_;
  std::vector<char> node_alive_;
  std::vector<NodeId> order_;
  std::vector<Value> values_;
  std::vector<char> value_alive_;
  std::vector<ValueId> inputs_, captures_;
  std::vector<GraphOutput> outputs_;

  void link(NodeId id);
  void unlink(NodeId id);
  void add_use(ValueId id, Use use);
  void drop_use(ValueId id, Use use);
};

/// A file's content: the graph and what else the file says.
struct Model {
  Graph graph;
  std::int64_t ir_version = 0;
  std::string producer_name, producer_version, domain, doc;
  std::int64_t model_version = 0;
  Metadata metadata;
  std::map<std::string, std::string> denotations; // of graph inputs and outputs: their serialized ONNX TypeProto
  std::map<std::string, Tensor> input_defaults;   // stored values of inputs that the caller may override
  std::string source_sha256;                      // of the file it was read from
  std::uint64_t source_bytes = 0;                 // of that file, external data included
  std::vector<std::string> source_weights;        // paths of its external data
  std::string source_failure;                     // what ONNX's checker found wrong with that file; empty: nothing
  bool qoperator = false;                         // that file spelled integer operators as QLinearConv and its kin
  std::vector<std::string> notes;                 // what the reader changed or found, in words: for the report
};

} // namespace edgec
