#include "autodiff/builder.h"

#include <algorithm>

#include <fmt/format.h>

#include "ir/node_view.h"

namespace edgec {

ValueId Builder::op(std::string_view name, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  return outputs(1, "", name, std::move(inputs), std::move(attributes))[0];
}

std::vector<ValueId> Builder::outputs(std::size_t count, std::string_view domain, std::string_view name,
                                      std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  std::vector<ValueId> found(count);
  if (!status_) return found;
  Node node{.op = std::string(name),
            .domain = std::string(domain),
            .inputs = std::move(inputs),
            .outputs = found,
            .attributes = std::move(attributes)};
  const OpDef *op = ops_.find(node);
  if (!op) {
    fail(internal_error(fmt::format("no operator {}", name)));
    return found;
  }
  const NodeView view(graph_, node);
  InferArgs args = view.infer_args();
  args.ops = &ops_;
  auto inferred = op->infer(args);
  if (!inferred) {
    fail(std::move(inferred).error().in(name));
    return found;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (i >= inferred->size() || !(*inferred)[i].concrete()) {
      fail(internal_error(fmt::format("{}: the shape of output {} is not known", name, i)));
      return found;
    }
    found[i] = graph_.add_value((*inferred)[i]);
  }
  node.outputs = found;
  graph_.add_node(std::move(node));
  return found;
}

ValueId Builder::number(double value, ValueId like) {
  if (!status_) return {};
  return constant(from_doubles(graph_.value(like).type.dtype, {}, std::vector<double>{value}));
}

ValueId Builder::ints(std::vector<std::int64_t> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return constant(Tensor::of({size}, std::move(values)));
}

ValueId Builder::constant(Tensor tensor) {
  if (!status_) return {};
  return graph_.add_constant(std::move(tensor));
}

ValueId Builder::reshape(ValueId x, const Dims &dims) {
  if (!status_ || this->dims(x) == dims) return x;
  return op("Reshape", {x, ints({dims.begin(), dims.end()})});
}

ValueId Builder::transpose(ValueId x, std::vector<std::int64_t> order) {
  return op("Transpose", {x}, {{"perm", std::move(order)}});
}

ValueId Builder::reduce(std::string_view name, std::int64_t since, ValueId x, std::vector<std::int64_t> axes) {
  if (axes.empty()) return x;
  if (opset() >= since) return op(name, {x, ints(std::move(axes))});
  return op(name, {x}, {{"axes", std::move(axes)}});
}

ValueId Builder::slice(ValueId x, int axis, std::int64_t first, std::int64_t last, std::int64_t step) {
  if (opset() >= 10) return op("Slice", {x, ints({first}), ints({last}), ints({axis}), ints({step})});
  return op("Slice", {x},
            {{"starts", std::vector<std::int64_t>{first}},
             {"ends", std::vector<std::int64_t>{last}},
             {"axes", std::vector<std::int64_t>{axis}}});
}

ValueId Builder::pad(ValueId x, std::vector<std::int64_t> before, const std::vector<std::int64_t> &after) {
  before.insert(before.end(), after.begin(), after.end());
  if (std::ranges::all_of(before, [](std::int64_t n) { return n == 0; })) return x;
  if (opset() >= 11) return op("Pad", {x, ints(std::move(before))});
  return op("Pad", {x}, {{"pads", std::move(before)}});
}

ValueId Builder::sum_to(ValueId x, const Dims &wanted) {
  if (!status_) return {};
  const Dims from = dims(x);
  if (from == wanted) return x;
  const std::size_t more = from.size() - wanted.size();
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (i < more || (wanted[i - more] == 1 && from[i] != 1)) axes.push_back(static_cast<std::int64_t>(i));
  return reshape(sum(x, std::move(axes)), wanted);
}

Dims Builder::dims(ValueId id) const {
  if (!id.valid()) return {};
  return graph_.value(id).type.concrete().value_or(Dims{});
}

void Builder::fail(Error error) {
  if (status_) status_ = std::move(error);
}

} // namespace edgec
