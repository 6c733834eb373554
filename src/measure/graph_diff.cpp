#include "measure/graph_diff.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unordered_map>

#include "ir/text.h"

namespace edgec {
namespace {

std::string op_name(const Node &node) { return node.domain.empty() ? node.op : node.domain + ":" + node.op; }

std::string described(const Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  return fmt::format("{} ({})", node.label(), op_name(node));
}

/// A tensor of few elements as it is, else its type.
std::string tensor_text(const Tensor &tensor) {
  const std::string type = to_string(Type::of(tensor));
  if (tensor.size() > 8 || tensor.dtype == DType::string) return type;
  return fmt::format("{} {{{}}}", type, fmt::join(to_doubles(tensor), ","));
}

/// A type without its shape: shapes follow from operands and attributes.
std::string element_text(Type type) {
  type.shape.reset();
  return to_string(type);
}

std::string text_of(const AttributeValue &value) {
  return std::visit(
      []<class T>(const T &item) -> std::string {
        if constexpr (std::is_same_v<T, std::string>)
          return quoted_text(item);
        else if constexpr (std::is_arithmetic_v<T>)
          return fmt::format("{}", item);
        else if constexpr (std::is_same_v<T, Tensor>)
          return tensor_text(item);
        else if constexpr (std::is_same_v<T, Type>)
          return to_string(item);
        else if constexpr (std::is_same_v<T, SubGraph>)
          return to_text(*item, {.hash_tensors = true});
        else if constexpr (std::is_same_v<T, OpaqueAttribute>)
          return fmt::format("{} bytes", item.bytes.size());
        else if constexpr (std::is_same_v<T, std::vector<std::int64_t>> || std::is_same_v<T, std::vector<float>> ||
                           std::is_same_v<T, std::vector<std::string>>)
          return fmt::format("[{}]", fmt::join(item, ","));
        else if constexpr (std::is_same_v<T, std::vector<SubGraph>>) {
          std::string text;
          for (const SubGraph &body : item) text += to_text(*body, {.hash_tensors = true});
          return text;
        } else
          return fmt::format("a list of {}", item.size());
      },
      value);
}

bool same_value(const AttributeValue &a, const AttributeValue &b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&]<class T>(const T &item) {
        const T &other = *std::get_if<T>(&b);
        if constexpr (std::is_same_v<T, Tensor>)
          return identical(item, other);
        else if constexpr (std::is_same_v<T, std::vector<Tensor>>)
          return std::ranges::equal(item, other, identical);
        else if constexpr (std::is_same_v<T, SubGraph> || std::is_same_v<T, std::vector<SubGraph>>)
          return text_of(a) == text_of(b);
        else
          return item == other;
      },
      a);
}

class Differ {
public:
  Differ(const Model &a, const Model &b) : model_a_(a), model_b_(b), a_(a.graph), b_(b.graph) {}

  GraphDiff run() {
    compare_models();
    pair_nodes();
    count_operators();
    for (const NodeId id : a_.nodes()) {
      const auto found = partner_.find(id);
      if (found == partner_.end())
        diff_.only_a.push_back(described(a_, id));
      else
        compare_nodes(id, found->second);
    }
    for (const NodeId id : b_.nodes())
      if (!paired_b_.contains(id)) diff_.only_b.push_back(described(b_, id));
    return std::move(diff_);
  }

private:
  const Model &model_a_, &model_b_;
  const Graph &a_, &b_;
  GraphDiff diff_;
  std::unordered_map<NodeId, NodeId> partner_;
  std::unordered_map<NodeId, NodeId> paired_b_;

  void say(std::string what, std::string a, std::string b) {
    if (a != b) diff_.model.push_back({std::move(what), std::move(a), std::move(b)});
  }

  /// Entries of two maps from names to texts.
  static std::vector<Difference> entries(const std::string &what, const std::map<std::string, std::string> &a,
                                         const std::map<std::string, std::string> &b) {
    std::vector<Difference> found;
    for (const auto &[name, text] : a) {
      const auto other = b.find(name);
      if (other == b.end() || other->second != text)
        found.push_back({what + name, text, other == b.end() ? std::string() : other->second});
    }
    for (const auto &[name, text] : b)
      if (!a.contains(name)) found.push_back({what + name, {}, text});
    return found;
  }

  void compare_models() {
    say("IR version", fmt::to_string(model_a_.ir_version), fmt::to_string(model_b_.ir_version));
    const auto add = [&](const std::string &what, const auto &of) {
      auto found = entries(what, of(model_a_), of(model_b_));
      diff_.model.insert(diff_.model.end(), found.begin(), found.end());
    };
    using Texts = std::map<std::string, std::string>;
    add("opset ", [](const Model &model) {
      Texts texts;
      for (const auto &[domain, version] : model.graph.opsets)
        texts[domain.empty() ? "ai.onnx" : domain] = fmt::to_string(version);
      return texts;
    });
    add("input ", [](const Model &model) {
      Texts texts;
      for (const ValueId id : model.graph.inputs())
        texts[model.graph.value(id).name] = to_string(model.graph.value(id).type);
      return texts;
    });
    add("output ", [](const Model &model) {
      Texts texts;
      for (const GraphOutput &output : model.graph.outputs())
        texts[output.name] = to_string(model.graph.value(output.value).type);
      return texts;
    });
    add("metadata ", [](const Model &model) { return Texts(model.metadata.begin(), model.metadata.end()); });
  }

  void count_operators() {
    std::map<std::string, std::pair<std::size_t, std::size_t>> counts;
    for (const NodeId id : a_.nodes()) ++counts[op_name(a_.node(id))].first;
    for (const NodeId id : b_.nodes()) ++counts[op_name(b_.node(id))].second;
    for (const auto &[op, count] : counts)
      if (count.first != count.second) diff_.operators.emplace(op, count);
  }

  /// Pairs nodes still alone that have the same key, if that is theirs alone in each network or `repeated`.
  template <class Key>
  void pair_by(Key key, bool repeated) {
    std::unordered_map<std::string, std::vector<NodeId>> of_b;
    std::unordered_map<std::string, std::size_t> count_a;
    for (const NodeId id : a_.nodes())
      if (!partner_.contains(id)) ++count_a[key(a_, id)];
    for (const NodeId id : b_.nodes())
      if (!paired_b_.contains(id)) of_b[key(b_, id)].push_back(id);
    std::unordered_map<std::string, std::size_t> next;
    for (const NodeId id : a_.nodes()) {
      if (partner_.contains(id)) continue;
      const std::string name = key(a_, id);
      const auto found = of_b.find(name);
      if (name.empty() || found == of_b.end()) continue;
      if (!repeated && (count_a[name] > 1 || found->second.size() > 1)) continue;
      const std::size_t at = next[name]++;
      if (at >= found->second.size()) continue;
      partner_.emplace(id, found->second[at]);
      paired_b_.emplace(found->second[at], id);
    }
  }

  void pair_nodes() {
    const auto with_op = [](const Graph &graph, NodeId id, const std::string &name) {
      return name.empty() ? name : op_name(graph.node(id)) + "\n" + name;
    };
    const auto output_name = [](const Graph &graph, NodeId id) {
      const auto &outputs = graph.node(id).outputs;
      return outputs.empty() || !outputs[0].valid() ? std::string() : graph.value(outputs[0]).name;
    };
    const auto name = [](const Graph &graph, NodeId id) { return graph.node(id).name; };
    pair_by([&](const Graph &graph, NodeId id) { return with_op(graph, id, name(graph, id)); }, false);
    pair_by([&](const Graph &graph, NodeId id) { return with_op(graph, id, output_name(graph, id)); }, false);
    pair_by(name, false);
    pair_by([](const Graph &graph, NodeId id) { return op_name(graph.node(id)); }, true);
  }

  /// What an operand is, said so that it can be compared with the other network's.
  static std::string source(const Graph &graph, ValueId id) {
    if (!id.valid()) return "nothing";
    if (graph.is_input(id)) return "input " + graph.value(id).name;
    if (graph.constant(id)) return "a constant";
    const Node *producer = graph.producer(id);
    return producer ? fmt::format("{} output {}", producer->label(), graph.value(id).output) : "an outer value";
  }

  [[nodiscard]] bool same_source(ValueId a, ValueId b) const {
    if (!a.valid() || !b.valid()) return a.valid() == b.valid();
    const Value &value_a = a_.value(a), &value_b = b_.value(b);
    if (!value_a.producer.valid() || !value_b.producer.valid()) return source(a_, a) == source(b_, b);
    const auto found = partner_.find(value_a.producer);
    return found != partner_.end() && found->second == value_b.producer && value_a.output == value_b.output;
  }

  void compare_nodes(NodeId id_a, NodeId id_b) {
    const Node &a = a_.node(id_a), &b = b_.node(id_b);
    NodeDiff diff{a.label(), op_name(a), {}, {}};
    if (op_name(a) != op_name(b)) diff.changes.push_back({"operator", op_name(a), op_name(b)});
    compare_attributes(a, b, diff);
    const std::size_t count = std::max(a.inputs.size(), b.inputs.size());
    for (std::size_t i = 0; i < count; ++i) compare_operands(i, a.input(i), b.input(i), diff);
    for (std::size_t i = 0; i < std::min(a.outputs.size(), b.outputs.size()); ++i) {
      if (!a.outputs[i].valid() || !b.outputs[i].valid()) continue;
      const std::string type_a = element_text(a_.value(a.outputs[i]).type),
                        type_b = element_text(b_.value(b.outputs[i]).type);
      if (type_a != type_b) diff.changes.push_back({fmt::format("output {}", i), type_a, type_b});
    }
    if (diff.changes.empty() && diff.weights.empty())
      ++diff_.equal_nodes;
    else
      diff_.nodes.push_back(std::move(diff));
  }

  static void compare_attributes(const Node &a, const Node &b, NodeDiff &diff) {
    for (const Attribute &mine : a.attributes) {
      const Attribute *other = b.attribute(mine.name);
      if (other && same_value(mine.value, other->value)) continue;
      diff.changes.push_back(
          {"attribute " + mine.name, text_of(mine.value), other ? text_of(other->value) : std::string()});
    }
    for (const Attribute &other : b.attributes)
      if (!a.attribute(other.name)) diff.changes.push_back({"attribute " + other.name, {}, text_of(other.value)});
  }

  void compare_operands(std::size_t index, ValueId a, ValueId b, NodeDiff &diff) {
    const Tensor *data_a = a_.constant(a), *data_b = b_.constant(b);
    if (!data_a || !data_b) {
      if (!same_source(a, b)) diff.changes.push_back({fmt::format("operand {}", index), source(a_, a), source(b_, b)});
      return;
    }
    const Type &type_a = a_.value(a).type, &type_b = b_.value(b).type;
    if (type_a == type_b && identical(*data_a, *data_b)) return;
    WeightDifference weight{index, a_.value(a).name, to_string(type_a), to_string(type_b), std::nullopt};
    const bool numbers = bits(data_a->dtype) <= 64 && bits(data_b->dtype) <= 64 && data_a->dtype != DType::string &&
                         data_b->dtype != DType::string;
    if (numbers && data_a->size() == data_b->size()) {
      weight.noise.emplace();
      weight.noise->add(real_values(*data_a, type_a, &type_b), real_values(*data_b, type_b, &type_a));
    }
    diff.weights.push_back(std::move(weight));
  }
};

} // namespace

GraphDiff diff_models(const Model &a, const Model &b) { return Differ(a, b).run(); }

} // namespace edgec
