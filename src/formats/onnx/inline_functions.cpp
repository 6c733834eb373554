#include <onnx/inliner/inliner.h>

#include <fmt/format.h>
#include <unordered_map>

#include "formats/onnx/prepare.h"
#include "formats/onnx/skeleton.h"

namespace edgec::proto {
namespace {

/// How large a model becomes when its functions are written out. Calls of calls grow exponentially, so this is asked
/// before the inliner is.
class Expansion {
public:
  explicit Expansion(const onnx::ModelProto &model) {
    for (const auto &function : model.functions())
      functions_.emplace(key(function.domain(), function.name(), function.overload()), &function);
  }
  Status add(const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes, std::uint64_t &bytes, int depth);

private:
  static constexpr std::uint64_t limit = std::uint64_t{1} << 30;
  std::unordered_map<std::string, const onnx::FunctionProto *> functions_;
  std::unordered_map<const onnx::FunctionProto *, std::uint64_t> known_;

  static std::string key(const std::string &domain, const std::string &name, const std::string &overload) {
    return domain_name(domain) + ":" + name + ":" + overload;
  }
};

Status Expansion::add(const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes, std::uint64_t &bytes,
                      int depth) {
  if (depth > 100) return unsupported("its functions call each other in a cycle, or more than 100 deep");
  for (const auto &node : nodes) {
    bytes += node.ByteSizeLong() + 1;
    const auto called = functions_.find(key(node.domain(), node.op_type(), node.overload()));
    if (called != functions_.end()) {
      const auto *function = called->second;
      if (!known_.contains(function)) {
        std::uint64_t size = 0;
        EDGEC_CHECK(add(function->node(), size, depth + 1));
        known_.emplace(function, size);
      }
      bytes += known_.at(function);
    }
    for (const auto &attribute : node.attribute()) {
      if (attribute.has_g()) EDGEC_CHECK(add(attribute.g().node(), bytes, depth + 1));
      for (const auto &graph : attribute.graphs()) EDGEC_CHECK(add(graph.node(), bytes, depth + 1));
    }
    if (bytes > limit) return unsupported("its functions, written out, make a model of more than 1 GB");
  }
  return {};
}

} // namespace

Status inline_functions(onnx::ModelProto &model, std::vector<std::string> &notes) {
  if (model.functions_size() == 0) return {};
  const int count = model.functions_size();
  std::uint64_t bytes = 0;
  EDGEC_CHECK(Expansion(model).add(model.graph().node(), bytes, 0));
  const auto refused = thrown_by([&] {
    const Skeleton skeleton(model);
    onnx::inliner::InlineLocalFunctions(model, true);
  });
  if (refused) return unsupported(fmt::format("ONNX's inliner cannot write out its functions: {}", *refused));
  if (model.functions_size() > 0)
    return unsupported(fmt::format("function {}:{} needs operator sets that the model does not import",
                                   model.functions(0).domain(), model.functions(0).name()));
  notes.push_back(fmt::format("{} function{} written out where called", count, count == 1 ? " was" : "s were"));
  return {};
}

} // namespace edgec::proto
