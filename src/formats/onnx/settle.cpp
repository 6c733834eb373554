#include "formats/onnx/settle.h"

#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "formats/onnx/skeleton.h"

namespace edgec::proto {
namespace {

using Infos = google::protobuf::RepeatedPtrField<onnx::ValueInfoProto>;

bool lacks_shape(const onnx::ValueInfoProto &info) {
  return info.type().has_tensor_type() && !info.type().tensor_type().has_shape();
}

bool speaks_of_shapes(const std::string &failure) {
  const auto says = [&](const char *text) { return failure.find(text) != std::string::npos; };
  return (says("ShapeInferenceError") || says("Inferred shape and existing shape differ")) &&
         !says("TypeInferenceError");
}

/// Graph outputs without a shape, which ONNX wants and runtimes do not, stand aside.
class WithoutOpenOutputs {
public:
  explicit WithoutOpenOutputs(onnx::GraphProto &graph) : graph_(graph) {
    for (int i = 0; i < graph.output_size(); ++i)
      if (lacks_shape(graph.output(i))) open_.emplace_back(i, graph.output(i));
    auto &outputs = *graph.mutable_output();
    outputs.erase(std::remove_if(outputs.begin(), outputs.end(), lacks_shape), outputs.end());
  }
  ~WithoutOpenOutputs() {
    Infos closed;
    closed.Swap(graph_.mutable_output());
    auto next = open_.begin();
    const auto add_open = [&] {
      for (; next != open_.end() && next->first == graph_.output_size(); ++next) *graph_.add_output() = next->second;
    };
    for (auto &output : closed) {
      add_open();
      *graph_.add_output() = output;
    }
    add_open();
  }
  WithoutOpenOutputs(const WithoutOpenOutputs &) = delete;
  WithoutOpenOutputs &operator=(const WithoutOpenOutputs &) = delete;
  [[nodiscard]] std::string first() const { return open_.empty() ? std::string() : open_.front().second.name(); }

private:
  onnx::GraphProto &graph_;
  std::vector<std::pair<int, onnx::ValueInfoProto>> open_; // by place
};

/// Sub-graphs need not say the shapes of what they give.
void drop_inner_shapes(onnx::GraphProto &graph, bool inner) {
  if (inner)
    for (auto &output : *graph.mutable_output())
      if (output.type().has_tensor_type()) output.mutable_type()->mutable_tensor_type()->clear_shape();
  for (auto &node : *graph.mutable_node())
    for (auto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) drop_inner_shapes(*attribute.mutable_g(), true);
      for (auto &body : *attribute.mutable_graphs()) drop_inner_shapes(body, true);
    }
}

/// Leaves out the dims of outputs and inner values that ONNX infers otherwise.
void drop_disputed(onnx::ModelProto &model) {
  const Skeleton skeleton(model);
  onnx::ModelProto open = model;
  for (auto *list : {open.mutable_graph()->mutable_output(), open.mutable_graph()->mutable_value_info()})
    for (auto &info : *list)
      if (info.type().has_tensor_type()) info.mutable_type()->mutable_tensor_type()->clear_shape();
  drop_inner_shapes(*open.mutable_graph(), false);
  thrown_by([&] { onnx::shape_inference::InferShapes(open); }); // what was found until then
  std::unordered_map<std::string, const onnx::TensorShapeProto *> inferred;
  for (const auto *list : {&open.graph().output(), &open.graph().value_info()})
    for (const auto &info : *list)
      if (info.type().tensor_type().has_shape()) inferred.emplace(info.name(), &info.type().tensor_type().shape());
  for (auto *list : {model.mutable_graph()->mutable_output(), model.mutable_graph()->mutable_value_info()})
    for (auto &info : *list) {
      const auto found = inferred.find(info.name());
      if (found == inferred.end() || !info.type().tensor_type().has_shape()) continue;
      auto &shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
      for (int i = 0; i < shape.dim_size() && shape.dim_size() == found->second->dim_size(); ++i) {
        auto &dim = *shape.mutable_dim(i);
        const auto &other = found->second->dim(i);
        if (dim.has_dim_value() && other.has_dim_value() && dim.dim_value() != other.dim_value()) dim.clear_dim_value();
      }
    }
}

} // namespace

Verdict settle(onnx::ModelProto &model) {
  std::string failure = check_failure(model);
  if (failure.empty()) return {};
  const WithoutOpenOutputs open(*model.mutable_graph());
  if (!open.first().empty()) failure = check_failure(model);
  if (speaks_of_shapes(failure)) {
    drop_disputed(model);
    failure = check_failure(model);
  }
  if (speaks_of_shapes(failure)) {
    drop_inner_shapes(*model.mutable_graph(), false);
    failure = check_failure(model);
  }
  if (failure.empty())
    return open.first().empty() ? Verdict() : Verdict{"output " + open.first() + " has no shape", true};
  // onnxruntime has some operators earlier than ONNX, and such that ONNX advises against.
  const bool unknown = failure.find("No Op registered for") != std::string::npos ||
                       failure.find("is deprecated in") != std::string::npos;
  return {failure, unknown || speaks_of_shapes(failure)};
}

} // namespace edgec::proto
