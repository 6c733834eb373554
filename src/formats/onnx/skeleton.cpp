#include "formats/onnx/skeleton.h"

#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>

namespace edgec::proto {
namespace {

bool is_big(const onnx::TensorProto &tensor) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) return true;
  const bool shape_like =
      tensor.data_type() == onnx::TensorProto::INT64 || tensor.data_type() == onnx::TensorProto::INT32;
  return tensor.ByteSizeLong() > (shape_like ? 65536U : 1024U);
}

const onnx::TensorProto *constant_tensor(const onnx::NodeProto &node) {
  const bool plain = node.op_type() == "Constant" && node.output_size() == 1 && node.attribute_size() == 1;
  return plain && node.attribute(0).has_t() ? &node.attribute(0).t() : nullptr;
}

/// Moves the elements that `wanted` chooses from a list, without copying any.
template <class T, class Wanted>
std::vector<std::pair<int, std::unique_ptr<T>>> extract(google::protobuf::RepeatedPtrField<T> &list, Wanted wanted) {
  std::vector<std::pair<int, std::unique_ptr<T>>> taken;
  const int size = list.size();
  std::vector<T *> all(static_cast<std::size_t>(size));
  list.ExtractSubrange(0, size, all.data());
  for (int i = 0; i < size; ++i) {
    if (wanted(*all[static_cast<std::size_t>(i)]))
      taken.emplace_back(i, all[static_cast<std::size_t>(i)]);
    else
      list.AddAllocated(all[static_cast<std::size_t>(i)]);
  }
  return taken;
}

template <class T>
void put_back(google::protobuf::RepeatedPtrField<T> &list, std::vector<std::pair<int, std::unique_ptr<T>>> &taken) {
  if (taken.empty()) return;
  const int kept = list.size();
  std::vector<T *> all(static_cast<std::size_t>(kept));
  list.ExtractSubrange(0, kept, all.data());
  auto next = taken.begin();
  for (T *element : all) {
    for (; next != taken.end() && next->first == list.size(); ++next) list.AddAllocated(next->second.release());
    list.AddAllocated(element);
  }
  for (; next != taken.end(); ++next) list.AddAllocated(next->second.release());
}

void add_input(onnx::GraphProto &graph, const std::string &name, const onnx::TensorProto &tensor) {
  auto &input = *graph.add_input();
  input.set_name(name);
  auto &type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(tensor.data_type());
  auto &shape = *type.mutable_shape();
  for (const auto dim : tensor.dims()) shape.add_dim()->set_dim_value(dim);
}

} // namespace

Skeleton::Skeleton(onnx::ModelProto &model) : model_(model) {
  auto &graph = *model.mutable_graph();
  initializers_ = extract(*graph.mutable_initializer(), is_big);
  constants_ = extract(*graph.mutable_node(), [](const onnx::NodeProto &node) {
    const auto *tensor = constant_tensor(node);
    return tensor && is_big(*tensor);
  });
  std::unordered_set<std::string> present;
  for (const auto &input : graph.input()) present.insert(input.name());
  const auto add = [&](const std::string &name, const onnx::TensorProto &tensor) {
    if (!present.insert(name).second) return;
    add_input(graph, name, tensor);
    inputs_.insert(name);
  };
  for (const auto &[index, tensor] : initializers_) add(tensor->name(), *tensor);
  for (const auto &[index, node] : constants_) add(node->output(0), *constant_tensor(*node));
}

Skeleton::~Skeleton() {
  auto &graph = *model_.mutable_graph();
  auto &inputs = *graph.mutable_input();
  inputs.erase(
      std::remove_if(inputs.begin(), inputs.end(), [&](const auto &input) { return inputs_.contains(input.name()); }),
      inputs.end());
  put_back(*graph.mutable_initializer(), initializers_);
  put_back(*graph.mutable_node(), constants_);
}

std::string check_failure(onnx::ModelProto &model) {
  const Skeleton skeleton(model);
  auto text = thrown_by([&] { onnx::checker::check_model(model, true); });
  if (!text) return {};
  const auto empty = [](char a, char b) { return a == '\n' && b == '\n'; };
  text->erase(std::unique(text->begin(), text->end(), empty), text->end());
  while (text->ends_with('\n')) text->pop_back();
  std::ranges::replace(*text, '\n', ' ');
  return *text;
}

void infer_shapes(onnx::ModelProto &model) {
  const Skeleton skeleton(model);
  thrown_by([&] { onnx::shape_inference::InferShapes(model); }); // what is not known stays unknown
}

std::int64_t ir_version_for(const onnx::ModelProto &model) {
  struct Release {
    std::int64_t opset, ir;
  };
  constexpr Release releases[] = {{8, 3},  {9, 4},   {10, 5},  {11, 6},  {14, 7},  {18, 8},
                                  {20, 9}, {22, 10}, {23, 11}, {24, 12}, {27, 13}, {28, 14}};
  std::int64_t needed = 3;
  for (const auto &import : model.opset_import()) {
    if (!import.domain().empty()) continue;
    const auto *release = std::ranges::find_if(releases, [&](const Release &r) { return import.version() <= r.opset; });
    needed = std::max(needed, release == std::end(releases) ? 14 : release->ir);
  }
  return needed;
}

} // namespace edgec::proto
