// infer_types: shapes and types in graph order, with small integer values and dims followed through the nodes.
#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "ir/opdef.h"
#include "ir/shape_facts.h"

namespace edgec {
namespace {

constexpr int max_depth = 32;                                // sub-graphs in sub-graphs
constexpr std::int64_t max_elements = std::int64_t{1} << 31; // of one result
constexpr std::size_t max_bytes = std::size_t{8} << 30;
constexpr std::int64_t max_followed = 1024; // elements of a value that is computed here

/// What is known of values beside their types: all elements, or dims of which some are symbols.
struct Known {
  std::unordered_map<ValueId, Tensor> tensors;
  std::unordered_map<ValueId, Shape> dims;
};

Status check_size(const Type &type) {
  const auto dims = type.concrete();
  if (!dims) return {};
  const auto count = element_count(*dims);
  if (!count || *count > max_elements || byte_size(type.dtype, *count) > max_bytes)
    return resource_error(fmt::format("a result {} is larger than 2^31 elements or 8 GiB", to_string(type)));
  return {};
}

bool is_blank(const Type &type) {
  return type.kind == Type::Kind::unknown || (type.is_tensor() && type.dtype == DType::undefined);
}

/// The more precise of both dims; nothing where they are different numbers.
std::optional<Dim> merge(const Dim &present, const Dim &found) {
  if (present.is_known() && found.is_known() && present.size != found.size) return std::nullopt;
  if (present.is_known() || (!found.is_known() && !present.symbol.empty())) return present;
  return found;
}

Result<Type> merge(const Type &present, const Type &found) {
  const auto contradiction = [&] {
    return bad_input(fmt::format("its output was said to be {}, but is {}", to_string(present), to_string(found)));
  };
  if (is_blank(found) && !found.shape) return present;
  if (is_blank(present) && !present.shape) return found;
  if (present.kind != found.kind) return is_blank(present) ? Result<Type>(found) : contradiction();
  Type type = present;
  if (type.dtype == DType::undefined) type.dtype = found.dtype;
  // A quantized value's dtype is what it is stored as, so operators that compute reals do not tell it.
  if (!present.quant && !found.quant && found.dtype != DType::undefined && type.dtype != found.dtype)
    return contradiction();
  if (!present.element) type.element = found.element;
  if (!found.shape) return type;
  if (!present.shape) {
    type.shape = found.shape;
    return type;
  }
  if (present.shape->size() != found.shape->size()) return contradiction();
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    const auto dim = merge((*present.shape)[i], (*found.shape)[i]);
    if (!dim) return contradiction();
    (*type.shape)[i] = *dim;
  }
  return type;
}

class Inference {
public:
  Inference(Graph &graph, const OpRegistry &ops, const Opsets &opsets, Known known, int depth)
      : graph_(graph), ops_(ops), opsets_(opsets), known_(std::move(known)), depth_(depth) {}

  /// For shape_facts(): names in the file are not believed, every dim that is not a number gets a symbol of its own.
  Result<ShapeFacts> facts() {
    naming_ = true;
    for (const ValueId id : graph_.values()) forget_symbols(id);
    for (const ValueId id : graph_.inputs()) name_dims(id);
    for (const ValueId id : graph_.captures()) name_dims(id);
    EDGEC_CHECK(run());
    ShapeFacts found;
    for (const ValueId id : graph_.values()) {
      if (const Shape *held = dims(id)) found.elements.emplace(id, *held);
      if (graph_.value(id).type.shape) found.shapes.emplace(id, *graph_.value(id).type.shape);
    }
    return found;
  }

  Status run() {
    if (depth_ > max_depth) return resource_error(fmt::format("sub-graphs are nested deeper than {}", max_depth));
    for (const NodeId id : graph_.nodes()) {
      const Node &node = graph_.node(id);
      EDGEC_CHECK(infer(id).in(fmt::format("node {} ({})", node.label(), node.op)));
    }
    return {};
  }

private:
  Graph &graph_;
  const OpRegistry &ops_;
  const Opsets &opsets_;
  Known known_;
  int depth_;
  bool naming_ = false;

  void forget_symbols(ValueId id) {
    Type type = graph_.value(id).type;
    if (!type.shape) return;
    for (Dim &dim : *type.shape) dim.symbol.clear();
    graph_.set_type(id, std::move(type));
  }

  /// Gives each dim of which nothing is known a symbol that no other has.
  void name_dims(ValueId id) {
    Type type = graph_.value(id).type;
    if (!type.shape) return;
    for (std::size_t i = 0; i < type.shape->size(); ++i) {
      Dim &dim = (*type.shape)[i];
      if (!dim.is_known() && dim.symbol.empty()) dim.symbol = fmt::format("{}.{}", id.index, i);
    }
    graph_.set_type(id, std::move(type));
  }

  struct Operands {
    std::vector<Type> reals; // quantized types as the reals that they stand for
    std::vector<const Type *> types, capture_types;
    std::vector<const Tensor *> constants;
    std::vector<const Shape *> dims;
  };

  [[nodiscard]] const Tensor *tensor(ValueId id) const {
    if (!id.valid()) return nullptr;
    if (const auto found = known_.tensors.find(id); found != known_.tensors.end()) return &found->second;
    return graph_.value(id).type.is_quantized() ? nullptr : graph_.constant(id);
  }

  /// Dims that a value holds: from its elements, or followed from shapes.
  const Shape *dims(ValueId id) {
    if (!id.valid()) return nullptr;
    if (const auto found = known_.dims.find(id); found != known_.dims.end()) return &found->second;
    const Tensor *all = tensor(id);
    if (!all || !is_integer(all->dtype) || all->rank() > 1 || all->size() > max_followed) return nullptr;
    Shape shape;
    for (const std::int64_t size : to_int64s(*all)) shape.push_back({size, {}});
    return &known_.dims.emplace(id, std::move(shape)).first->second;
  }

  Operands operands(const Node &node, const OpDef &op) {
    Operands found;
    found.reals.reserve(node.inputs.size());
    for (const ValueId id : node.inputs) {
      found.constants.push_back(tensor(id));
      found.dims.push_back(dims(id));
      if (!id.valid()) {
        found.types.push_back(nullptr);
        continue;
      }
      const Type &type = graph_.value(id).type;
      found.types.push_back(&type);
      if (!type.quant || op.moves_data) continue;
      found.reals.push_back(Type::tensor(DType::float32, type.shape));
      found.types.back() = &found.reals.back();
    }
    for (const ValueId id : node.captures) found.capture_types.push_back(&graph_.value(id).type);
    return found;
  }

  Status infer(NodeId id) {
    const OpDef *op = ops_.find(graph_.node(id));
    if (!naming_) EDGEC_CHECK(infer_subgraphs(id));
    if (!op || !op->infer) {
      if (naming_) name_outputs(id);
      return {};
    }
    const Node &node = graph_.node(id);
    const auto version = opsets_.find(node.domain);
    const std::int64_t opset = version == opsets_.end() ? 0 : version->second;
    const Operands args = operands(node, *op);
    EDGEC_ASSIGN(std::vector<Type> types, op->infer({.node = node,
                                                     .opset = opset,
                                                     .inputs = args.types,
                                                     .constants = args.constants,
                                                     .ops = &ops_,
                                                     .captures = args.capture_types,
                                                     .dims = args.dims}));
    for (std::size_t i = 0; i < types.size() && i < node.outputs.size(); ++i) {
      const ValueId out = node.outputs[i];
      if (!out.valid()) continue;
      Type found = same_scale(node, *op, std::move(types[i]));
      EDGEC_ASSIGN(Type merged, merge(graph_.value(out).type, found));
      EDGEC_CHECK(check_size(merged));
      if (!(merged == graph_.value(out).type)) graph_.set_type(out, std::move(merged));
    }
    if (naming_) {
      name_outputs(id);
      join_dims(id);
    }
    follow(node, *op, opset, args);
    return {};
  }

  void name_outputs(NodeId id) {
    for (const ValueId out : graph_.node(id).outputs)
      if (out.valid()) name_dims(out);
  }

  /// The operands of a Concat agree in every dim but that of its axis, or it fails.
  void join_dims(NodeId id) {
    const Node node = graph_.node(id);
    if (!node.is("Concat")) return;
    for (const ValueId input : node.inputs) {
      if (!input.valid() || !graph_.value(input).type.shape || !graph_.value(node.outputs[0]).type.shape) continue;
      const Shape shape = *graph_.value(input).type.shape;
      const auto rank = static_cast<std::int64_t>(shape.size()), axis = node.get_int("axis", 0);
      for (std::int64_t i = 0; i < rank; ++i) {
        if (i == (axis < 0 ? axis + rank : axis)) continue;
        const Dim dim = graph_.value(input).type.shape->at(static_cast<std::size_t>(i));
        rename(dim, graph_.value(node.outputs[0]).type.shape->at(static_cast<std::size_t>(i)));
      }
    }
  }

  /// What has been seen to be equal gets the same symbol, or number, everywhere.
  void rename(const Dim &one, const Dim &other) {
    if (one == other || (one.is_known() && other.is_known())) return;
    const Dim to = one.is_known() ? one : other, from = one.is_known() ? other : one;
    const auto replace = [&](Shape &shape) { std::ranges::replace(shape, from, to); };
    for (const ValueId id : graph_.values()) {
      Type type = graph_.value(id).type;
      if (!type.shape || std::ranges::find(*type.shape, from) == type.shape->end()) continue;
      replace(*type.shape);
      graph_.set_type(id, std::move(type));
    }
    for (auto &[id, shape] : known_.dims) replace(shape);
  }

  /// An output that shares its operand's scale has its operand's quantization, unless the graph says otherwise.
  Type same_scale(const Node &node, const OpDef &op, Type found) const {
    if (op.quant != QuantRule::same_scale || found.quant || !found.is_tensor()) return found;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!op.data_operands.contains(i) || !node.inputs[i].valid()) continue;
      const Type &source = graph_.value(node.inputs[i]).type;
      if (!source.quant || !source.quant->is_per_tensor()) return found;
      found.dtype = source.dtype;
      found.quant = source.quant;
      return found;
    }
    return found;
  }

  /// Sub-graphs get their captures' types and what is known of them, and are inferred in turn.
  Status infer_subgraphs(NodeId id) {
    struct Body {
      std::string attribute;
      std::size_t index; // in a list of graphs
      bool listed;
      SubGraph graph;
    };
    std::vector<Body> bodies;
    for (const Attribute &attribute : graph_.node(id).attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value)) bodies.push_back({attribute.name, 0, false, *one});
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value))
        for (std::size_t i = 0; i < many->size(); ++i) bodies.push_back({attribute.name, i, true, (*many)[i]});
    }
    std::size_t capture = 0;
    for (Body &body : bodies) {
      auto copy = std::make_shared<Graph>(*body.graph);
      Known inner;
      for (const ValueId inside : copy->captures()) {
        const Node &node = graph_.node(id);
        if (capture >= node.captures.size())
          return internal_error("a sub-graph reads values that its node does not list");
        const ValueId outside = node.captures[capture++];
        EDGEC_ASSIGN(Type type, merge(copy->value(inside).type, graph_.value(outside).type));
        copy->set_type(inside, std::move(type));
        if (const Tensor *all = tensor(outside)) inner.tensors.emplace(inside, *all);
        if (const Shape *some = dims(outside)) inner.dims.emplace(inside, *some);
      }
      // A branch that is never taken may contradict its operands: it is left as it is, and refused if it is run.
      const Status status = Inference(*copy, ops_, opsets_, std::move(inner), depth_ + 1).run();
      if (!status && status.error().code != Code::bad_input) return status;
      if (status) replace(id, body.attribute, body.listed, body.index, std::move(copy));
    }
    return {};
  }

  void replace(NodeId id, const std::string &attribute, bool listed, std::size_t index, SubGraph body) {
    if (!listed) return graph_.set_attribute(id, attribute, std::move(body));
    auto list = *graph_.node(id).get<std::vector<SubGraph>>(attribute);
    list[index] = std::move(body);
    graph_.set_attribute(id, attribute, std::move(list));
  }

  // ---- values that are computed here, so that shapes made of them are known

  [[nodiscard]] bool is_small(ValueId id) const {
    const Type &type = graph_.value(id).type;
    const auto dims = type.concrete();
    return dims && !type.quant && type.dtype != DType::string &&
           element_count(*dims).value_or(max_elements) <= max_followed;
  }

  void follow(const Node &node, const OpDef &op, std::int64_t opset, const Operands &args) {
    if (!op.reference || !op.deterministic || !node.captures.empty() || node.outputs.empty()) return;
    for (const ValueId out : node.outputs)
      if (!out.valid() || !graph_.value(out).type.is_tensor() || !is_small(out)) return;
    if (!follow_tensors(node, op, opset, args)) follow_dims(node, op, opset, args);
  }

  /// Evaluates the reference where all elements that it reads are known.
  bool follow_tensors(const Node &node, const OpDef &op, std::int64_t opset, const Operands &args) {
    std::vector<Tensor> shapes(node.inputs.size()); // dims without elements, for operators that read no more
    std::vector<const Tensor *> inputs(node.inputs.size(), nullptr);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!node.inputs[i].valid()) continue;
      if (op.shape_only) {
        const auto dims = args.types[i]->concrete();
        if (!dims) return false;
        shapes[i] = {args.types[i]->dtype, *dims, {}, nullptr};
        inputs[i] = &shapes[i];
      } else if (args.constants[i] && args.constants[i]->size() <= max_followed &&
                 args.constants[i]->dtype != DType::string) {
        inputs[i] = args.constants[i];
      } else {
        return false;
      }
    }
    const auto results = evaluate(node, op, opset, inputs, args.types);
    for (std::size_t i = 0; i < results.size(); ++i) known_.tensors.insert_or_assign(node.outputs[i], results[i]);
    return !results.empty();
  }

  /// A Cast between the integers that exporters compute shapes with.
  [[nodiscard]] bool keeps_dims(const Node &node) const {
    const auto wide = [&](ValueId id) {
      const DType dtype = graph_.value(id).type.dtype;
      return dtype == DType::int64 || dtype == DType::int32;
    };
    return node.is("Cast") && wide(node.inputs[0]) && wide(node.outputs[0]);
  }

  /// An operator that only moves elements is run on numbers that stand for dims, known or not.
  void follow_dims(const Node &node, const OpDef &op, std::int64_t opset, const Operands &args) {
    if (!(op.moves_data || keeps_dims(node)) || node.outputs.size() != 1) return;
    std::vector<Dim> table;
    const auto encode = [&](const Shape &shape) {
      Dims codes;
      for (const Dim &dim : shape) {
        codes.push_back(static_cast<std::int64_t>(table.size()));
        table.push_back(dim);
      }
      return codes;
    };
    std::vector<Tensor> coded(node.inputs.size());
    std::vector<const Tensor *> inputs(node.inputs.size(), nullptr);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!node.inputs[i].valid()) continue;
      const Type &type = *args.types[i];
      if (op.shape_only && type.shape)
        coded[i] = {type.dtype, encode(*type.shape), {}, nullptr};
      else if (op.data_operands.contains(i) && args.dims[i] && type.concrete())
        coded[i] = Tensor::of<std::int64_t>(*type.concrete(), encode(*args.dims[i]));
      else if (!op.data_operands.contains(i) && args.constants[i])
        coded[i] = *args.constants[i];
      else
        return;
      inputs[i] = &coded[i];
    }
    const auto results = evaluate(node, op, opset, inputs, args.types);
    if (results.size() != 1 || results[0].rank() > 1) return;
    Shape shape;
    for (const std::int64_t code : to_int64s(results[0])) {
      if (code < 0 || code >= static_cast<std::int64_t>(table.size())) return;
      shape.push_back(table[static_cast<std::size_t>(code)]);
    }
    // As good as computed. Where every dim has a symbol, one without is a number, which may be negative.
    if (std::ranges::all_of(shape, [&](const Dim &dim) { return naming_ ? dim.symbol.empty() : dim.is_known(); })) {
      std::vector<std::int64_t> sizes;
      for (const Dim &dim : shape) sizes.push_back(dim.size);
      const DType dtype = graph_.value(node.outputs[0]).type.dtype;
      known_.tensors.insert_or_assign(node.outputs[0], from_int64s(dtype, results[0].dims, sizes));
    }
    known_.dims.insert_or_assign(node.outputs[0], std::move(shape));
  }

  static std::vector<Tensor> evaluate(const Node &node, const OpDef &op, std::int64_t opset,
                                      std::span<const Tensor *const> inputs, std::span<const Type *const> types) {
    std::vector<RuntimeValue> values(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i]) values[i].tensor = *inputs[i];
    const std::vector<const Type *> wanted(node.outputs.size(), nullptr);
    const auto results = op.reference({.node = node,
                                       .opset = opset,
                                       .inputs = inputs,
                                       .input_types = types,
                                       .output_types = wanted,
                                       .values = values});
    if (!results || results->size() < node.outputs.size()) return {};
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (!(*results)[i].tensor || (*results)[i].tensor->size() > max_followed) return {};
      tensors.push_back(*(*results)[i].tensor);
    }
    return tensors;
  }
};

} // namespace

Result<ShapeFacts> shape_facts(const Graph &graph, const OpRegistry &ops) {
  Graph copy = graph;
  return Inference(copy, ops, graph.opsets, {}, 1).facts();
}

Status infer_types(Graph &graph, const OpRegistry &ops) {
  const Opsets opsets = graph.opsets;
  return Inference(graph, ops, opsets, {}, 1).run();
}

} // namespace edgec
