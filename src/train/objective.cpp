#include "train/objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "autodiff/builder.h"
#include "autodiff/differentiate.h"
#include "measure/logits.h"

namespace edgec {
namespace {

std::vector<std::int64_t> all_axes(const Builder &b, ValueId x) {
  std::vector<std::int64_t> axes(static_cast<std::size_t>(b.rank(x)));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

/// The mean of all elements, as a scalar.
ValueId mean_of(Builder &b, ValueId x) { return b.reshape(b.mean(x, all_axes(b, x)), {}); }

/// Rows of the axis of classes: it becomes the last of two.
ValueId rows(Builder &b, ValueId x, std::int64_t axis) {
  const Dims dims = b.dims(x);
  std::vector<std::int64_t> order(dims.size());
  std::iota(order.begin(), order.end(), 0);
  std::rotate(order.begin() + axis, order.begin() + axis + 1, order.end());
  if (axis + 1 != static_cast<std::int64_t>(dims.size())) x = b.transpose(x, order);
  const std::int64_t size = dims[static_cast<std::size_t>(axis)];
  return b.reshape(x, {element_count(dims).value_or(0) / std::max<std::int64_t>(size, 1), size});
}

ValueId squared_error(Builder &b, ValueId s, ValueId t, double power) {
  return b.scaled(mean_of(b, b.square(b.sub(s, t))), 1 / std::max(power, 1e-30));
}

ValueId divergence(Builder &b, ValueId s, ValueId t, double temperature) {
  const auto logs = [&](ValueId x) {
    return b.op("LogSoftmax", {b.scaled(x, 1 / temperature)}, {{"axis", std::int64_t{1}}});
  };
  const ValueId of_s = logs(s), of_t = logs(t);
  const ValueId each = b.sum(b.mul(b.op("Exp", {of_t}), b.sub(of_t, of_s)), {1});
  return b.scaled(mean_of(b, each), temperature * temperature);
}

ValueId cosine(Builder &b, ValueId s, ValueId t) {
  const auto length = [&](ValueId x) { return b.op("Sqrt", {b.plus(b.sum(b.square(x), {1}), 1e-12)}); };
  const ValueId each = b.div(b.sum(b.mul(s, t), {1}), b.mul(length(s), length(t)));
  return b.sub(b.number(1, each), mean_of(b, each));
}

ValueId loss_of(Builder &b, Loss loss, const Answer &answer, ValueId t, double power, double temperature) {
  const ValueId s = answer.value;
  if (loss == Loss::squared_error) return squared_error(b, s, t, power);
  if (loss == Loss::projection) return b.scaled(b.sum_to(b.mul(s, t), {}), 1 / std::sqrt(std::max(power, 1e-30)));
  const std::int64_t rank = b.rank(s);
  const auto axis = class_axis(answer, b.dims(s));
  const std::int64_t last = axis ? static_cast<std::int64_t>(*axis) : rank - 1;
  const ValueId student = rows(b, s, last), teacher = rows(b, t, last);
  return loss == Loss::divergence ? divergence(b, student, teacher, temperature) : cosine(b, student, teacher);
}

std::vector<Answer> wanted_answers(const Graph &graph, std::span<const std::size_t> outputs) {
  const std::vector<Answer> all = find_answers(graph);
  if (outputs.empty()) return all;
  std::vector<Answer> wanted;
  for (const std::size_t i : outputs) wanted.push_back(all[i]);
  return wanted;
}

/// A constant becomes an input.
ValueId opened(Graph &graph, ValueId constant, std::size_t number) {
  const ValueId input = graph.add_input(fmt::format("parameter.{}", number), graph.value(constant).type);
  graph.replace_uses(constant, input);
  graph.remove(constant);
  return input;
}

} // namespace

std::vector<ValueId> answers_of(const Graph &graph, std::span<const std::size_t> outputs) {
  std::vector<ValueId> found;
  for (const Answer &answer : wanted_answers(graph, outputs)) found.push_back(answer.value);
  return found;
}

Result<Graph> with_batch(const Graph &graph, const OpRegistry &ops, std::span<const Type> inputs, std::int64_t batch) {
  Graph open = graph;
  for (const ValueId id : open.values()) {
    Type type = open.value(id).type;
    if (open.is_input(id) || open.constant(id) != nullptr || !type.is_tensor()) continue;
    type.shape.reset();
    open.set_type(id, std::move(type));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Type type = inputs[i];
    if (type.shape && !type.shape->empty()) type.shape->front() = Dim::known(batch * type.shape->front().size);
    open.set_type(open.inputs()[i], std::move(type));
  }
  EDGEC_CHECK(infer_types(open, ops));
  for (const NodeId id : open.nodes())
    for (const ValueId y : open.node(id).outputs)
      if (y.valid() && !open.value(y).type.concrete())
        return unsupported(fmt::format("node {}: its shape is not known before it runs", open.node(id).label()));
  for (const GraphOutput &output : open.outputs()) {
    const Dims dims = *open.value(output.value).type.concrete();
    if (batch > 1 && (dims.empty() || dims[0] % batch != 0))
      return unsupported(fmt::format("output {} does not have a row for each sample", output.name));
  }
  return open;
}

Result<std::int64_t> classes_of(const Graph &graph) {
  const auto answers = find_answers(graph);
  const Type type = answers.empty() ? Type() : graph.value(answers[0].value).type;
  Dims dims; // an open one is the batch
  for (const Dim &dim : type.shape.value_or(Shape())) dims.push_back(dim.is_known() ? dim.size : 1);
  const auto axis = dims.size() < 2 ? std::nullopt : class_axis(answers[0], dims);
  if (!axis || *axis == 0 || element_count(dims) != dims[0] * dims[*axis])
    return unsupported(fmt::format("labels are classes, and the first answer, {}, is not one row of classes a sample",
                                   answers.empty() ? "none" : to_string(type)));
  return dims[*axis];
}

namespace {

/// Cross-entropy of the first answer, [rows, classes] with other axes of 1, with shares of classes.
Result<ValueId> cross_entropy(Builder &b, Graph &graph, ValueId answer, Objective &made) {
  EDGEC_ASSIGN(const std::int64_t classes, classes_of(graph));
  const Dims dims{b.dims(answer)[0], classes};
  made.labels = graph.add_input("labels", Type::tensor(DType::float32, dims));
  const ValueId logs = b.op("LogSoftmax", {b.reshape(answer, dims)}, {{"axis", std::int64_t{1}}});
  return b.neg(mean_of(b, b.sum(b.mul(*made.labels, logs), {1})));
}

} // namespace

Result<Objective> make_objective(const Graph &student, const OpRegistry &ops, std::span<const ValueId> parameters,
                                 Loss loss, std::span<const double> powers, double hard,
                                 std::span<const ValueId> features, std::span<const std::size_t> outputs,
                                 double temperature) {
  Objective made{.graph = student};
  Graph &graph = made.graph;
  made.inputs = graph.inputs();
  for (const ValueId constant : parameters) made.parameters.push_back(opened(graph, constant, made.parameters.size()));
  Builder b(graph, ops);
  const auto answers = wanted_answers(graph, outputs);
  const auto target_of = [&](ValueId id) {
    const std::string name = fmt::format("target.{}", made.targets.size());
    return made.targets.emplace_back(graph.add_input(name, graph.value(id).type));
  };
  const auto add = [&](ValueId part) { made.loss = made.loss.valid() ? b.add(made.loss, part) : part; };
  for (std::size_t i = 0; i < answers.size() && hard < 1; ++i) {
    const Type type = graph.value(answers[i].value).type;
    if (!type.is_tensor() || type.dtype != DType::float32) continue;
    const double power = powers[made.targets.size()];
    add(loss_of(b, loss, answers[i], target_of(answers[i].value), power, temperature));
  }
  for (const ValueId id : hard < 1 ? features : std::span<const ValueId>()) {
    const double power = powers[made.targets.size()] * static_cast<double>(features.size());
    add(squared_error(b, id, target_of(id), power));
  }
  if (hard > 0) {
    EDGEC_ASSIGN(const ValueId right, cross_entropy(b, graph, answers[0].value, made));
    made.loss = made.loss.valid() ? b.add(b.scaled(made.loss, 1 - hard), b.scaled(right, hard)) : right;
  }
  if (!made.loss.valid()) return unsupported("none of the outputs is a float32 tensor");
  EDGEC_CHECK(b.status());
  EDGEC_ASSIGN(made.gradients, differentiate(graph, ops, made.loss, made.parameters));
  return made;
}

} // namespace edgec
