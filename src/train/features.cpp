#include "train/features.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "ir/node_view.h"
#include "measure/logits.h"

namespace edgec {
namespace {

bool is_feature(const Graph &graph, ValueId id) {
  const Type &type = graph.value(id).type;
  return type.is_tensor() && type.dtype == DType::float32 && graph.producer(id) != nullptr;
}

/// Values that depend on the inputs, and are read by later nodes or by the caller: how many there are after each node.
class Alive {
public:
  explicit Alive(const Graph &graph) : readers_(graph.value_bound()) {
    for (const ValueId id : graph.inputs()) begin(graph, id);
  }

  void run(const Graph &graph, const Node &node) {
    bool depends = false;
    for (const auto *operands : {&node.inputs, &node.captures})
      for (const ValueId x : *operands)
        if (x.valid() && readers_[x.index] > 0) {
          depends = true;
          if (--readers_[x.index] == 0) --count_;
        }
    for (const ValueId y : node.outputs)
      if (depends && y.valid()) begin(graph, y);
  }

  [[nodiscard]] bool only(ValueId id) const { return count_ == 1 && id.valid() && readers_[id.index] > 0; }

private:
  std::vector<std::size_t> readers_; ///< by value: reads to come
  std::size_t count_ = 0;

  void begin(const Graph &graph, ValueId id) {
    readers_[id.index] = graph.use_count(id);
    if (readers_[id.index] > 0) ++count_;
  }
};

std::map<std::string, ValueId, std::less<>> values_by_name(const Graph &graph) {
  std::map<std::string, ValueId, std::less<>> found;
  for (const ValueId id : graph.values()) found.emplace(graph.value(id).name, id);
  return found;
}

Result<ValueId> feature_named(const Graph &graph, std::string_view name, std::string_view whose) {
  const auto values = values_by_name(graph);
  const auto at = values.find(name);
  if (at == values.end()) return usage_error(fmt::format("features: '{}' is no value of {}", name, whose));
  if (!is_feature(graph, at->second))
    return usage_error(fmt::format("features: {} of {} is {}, and not computed floats", name, whose,
                                   to_string(graph.value(at->second).type)));
  return at->second;
}

} // namespace

std::vector<ValueId> block_ends(const Graph &graph, const OpRegistry &ops) {
  const auto answers = find_answers(graph);
  std::vector<ValueId> found;
  Alive alive(graph);
  bool layers = false; // with weights, since the last end
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    alive.run(graph, node);
    layers = layers || weights_of(graph, node, ops).has_value();
    const ValueId y = node.outputs.empty() ? ValueId{} : node.outputs[0];
    if (!alive.only(y)) continue;
    if (std::ranges::any_of(answers, [&](const Answer &answer) { return answer.value == y; })) break;
    if (!layers && !found.empty()) found.pop_back();
    found.push_back(y);
    layers = false;
  }
  return found;
}

std::vector<FeaturePair> features_of_one_name(const Graph &student, const Graph &teacher, const OpRegistry &ops) {
  const auto values = values_by_name(teacher);
  std::vector<FeaturePair> found;
  for (const ValueId id : block_ends(student, ops)) {
    const auto at = values.find(student.value(id).name);
    if (at != values.end() && is_feature(student, id) && is_feature(teacher, at->second))
      found.push_back({id, at->second});
  }
  return found;
}

Result<std::vector<FeaturePair>> named_features(std::string_view text, const Graph &student, const Graph &teacher) {
  std::vector<FeaturePair> found;
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t end = std::min(text.find(',', first), text.size());
    const std::string_view pair = text.substr(first, end - first);
    first = end + 1;
    const std::size_t at = pair.find('=');
    if (at == std::string_view::npos)
      return usage_error(fmt::format("features: '{}' is no pair of names, as student=teacher", pair));
    EDGEC_ASSIGN(const ValueId mine, feature_named(student, pair.substr(0, at), "the network that is trained"));
    EDGEC_ASSIGN(const ValueId its, feature_named(teacher, pair.substr(at + 1), "its teacher"));
    found.push_back({mine, its, true});
  }
  return found;
}

} // namespace edgec
