// Operators of ai.onnx.ml that stand before and behind networks: encoders, scalers, linear models.
#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

std::vector<float> floats_attribute(const Node &node, std::string_view name) {
  const auto *found = node.get<std::vector<float>>(name);
  return found ? *found : std::vector<float>();
}

std::vector<std::string> strings_attribute(const Node &node, std::string_view name) {
  const auto *found = node.get<std::vector<std::string>>(name);
  return found ? *found : std::vector<std::string>();
}

Result<std::vector<Type>> infer_floats(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  return std::vector<Type>{Type::tensor(DType::float32, args.input(0)->shape)};
}

// ---- ArrayFeatureExtractor: elements of the last axis

Result<std::vector<Type>> infer_extractor(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0), &index = *args.input(1);
  if (!in.shape || !index.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  Shape out = in.shape->size() > 1 ? *in.shape : Shape{Dim::known(1), Dim::unknown()};
  const Dim count = product(*index.shape, 0, index.shape->size());
  out.back() = count;
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> extractor_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_extractor));
  const Tensor &in = *args.inputs[0];
  if (in.dims.empty()) return bad_input("a single number has no features");
  const auto index = to_int64s(*args.inputs[1]);
  const std::int64_t width = in.dims.back(), rows = product(in.dims, 0, in.dims.size() - 1);
  std::vector<std::int64_t> sources;
  for (std::int64_t row = 0; row < rows; ++row)
    for (const std::int64_t i : index) {
      if (i < 0 || i >= width) return bad_input(fmt::format("feature {} of {}", i, width));
      sources.push_back(row * width + i);
    }
  return one(take_elements(in, *types[0].concrete(), sources));
}

// ---- Binarizer, Scaler, Normalizer

Result<std::vector<RuntimeValue>> binarizer_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs an operand");
  auto x = to_floats(*args.inputs[0]);
  const float threshold = args.node.get_float("threshold", 0);
  for (float &value : x) value = value > threshold ? 1 : 0;
  return one(Tensor::of(args.inputs[0]->dims, std::move(x)));
}

Result<std::vector<RuntimeValue>> scaler_reference(const EvalArgs &args) {
  if (!args.input(0) || args.inputs[0]->dims.empty()) return bad_input("needs an operand with features");
  auto x = to_floats(*args.inputs[0]);
  const auto width = static_cast<std::size_t>(args.inputs[0]->dims.back());
  const auto offset = floats_attribute(args.node, "offset"), scale = floats_attribute(args.node, "scale");
  for (const auto *list : {&offset, &scale})
    if (list->size() != 1 && list->size() != width)
      return bad_input(fmt::format("{} offsets or scales for {} features", list->size(), width));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = (x[i] - offset[i % width % offset.size()]) * scale[i % width % scale.size()];
  return one(Tensor::of(args.inputs[0]->dims, std::move(x)));
}

Result<std::vector<RuntimeValue>> normalizer_reference(const EvalArgs &args) {
  if (!args.input(0) || args.inputs[0]->dims.empty()) return bad_input("needs an operand with features");
  auto x = to_floats(*args.inputs[0]);
  const std::string norm = args.node.get_string("norm", "MAX");
  const auto width = static_cast<std::size_t>(args.inputs[0]->dims.back());
  for (std::size_t row = 0; width > 0 && row < x.size(); row += width) {
    const auto values = std::span(x).subspan(row, width);
    float size = norm == "MAX" ? values[0] : 0;
    for (const float value : values)
      size = norm == "MAX" ? std::max(size, value) : size + (norm == "L1" ? std::abs(value) : value * value);
    if (norm == "L2") size = std::sqrt(size);
    if (size == 0) continue;
    for (float &value : values) value /= size;
  }
  return one(Tensor::of(args.inputs[0]->dims, std::move(x)));
}

// ---- LabelEncoder: a value for each key, another for all that is not a key

/// One side of the table, from the attributes KIND_strings, KIND_int64s, KIND_floats or KIND_tensor.
std::optional<Tensor> table_side(const Node &node, const std::string &kind) {
  if (const auto *tensor = node.get<Tensor>(kind + "_tensor")) return *tensor;
  if (auto texts = strings_attribute(node, kind + "_strings"); !texts.empty()) {
    const auto count = static_cast<std::int64_t>(texts.size());
    return Tensor::of_strings({count}, std::move(texts));
  }
  if (auto numbers = node.get_ints(kind + "_int64s"); !numbers.empty()) {
    const auto count = static_cast<std::int64_t>(numbers.size());
    return Tensor::of({count}, std::move(numbers));
  }
  if (auto reals = floats_attribute(node, kind + "_floats"); !reals.empty()) {
    const auto count = static_cast<std::int64_t>(reals.size());
    return Tensor::of({count}, std::move(reals));
  }
  return std::nullopt;
}

struct LabelTable {
  Tensor keys, values;
};

/// Before version 2: the classes' numbers for strings, and the other way round.
Result<LabelTable> label_table(const Node &node, DType in) {
  if (node.attribute("classes_strings")) {
    auto classes = strings_attribute(node, "classes_strings");
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < classes.size(); ++i) numbers.push_back(static_cast<std::int64_t>(i));
    const Dims dims{static_cast<std::int64_t>(classes.size())};
    LabelTable table{Tensor::of_strings(dims, std::move(classes)), Tensor::of(dims, std::move(numbers))};
    if (in != DType::string) std::swap(table.keys, table.values);
    return table;
  }
  auto keys = table_side(node, "keys"), values = table_side(node, "values");
  if (!keys || !values) return bad_input("needs keys and values");
  if (keys->size() != values->size())
    return bad_input(fmt::format("{} keys and {} values", keys->size(), values->size()));
  return LabelTable{std::move(*keys), std::move(*values)};
}

Tensor default_label(const Node &node, const Tensor &values) {
  if (const auto *tensor = node.get<Tensor>("default_tensor");
      tensor && tensor->dtype == values.dtype && tensor->size() == 1)
    return *tensor;
  if (values.dtype == DType::string) return Tensor::of_strings({}, {node.get_string("default_string", "_Unused")});
  if (is_float(values.dtype))
    return from_doubles(values.dtype, {}, std::vector<double>{node.get_float("default_float", -0.0F)});
  return from_int64s(values.dtype, {}, std::vector{node.get_int("default_int64", -1)});
}

Result<std::vector<Type>> infer_label(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (in.dtype == DType::undefined) return std::vector<Type>{Type::tensor(DType::undefined, in.shape)};
  EDGEC_ASSIGN(const LabelTable table, label_table(args.node, in.dtype));
  return std::vector<Type>{Type::tensor(table.values.dtype, in.shape)};
}

/// Keys as text, which tells them apart whatever they are.
std::vector<std::string> texts(const Tensor &tensor) {
  if (tensor.dtype == DType::string) return *tensor.strings;
  std::vector<std::string> found;
  if (is_float(tensor.dtype))
    for (const double value : to_doubles(tensor))
      found.push_back(value == 0 ? "0" : fmt::format("{}", std::isnan(value) ? NAN : value));
  else
    for (const std::int64_t value : to_int64s(tensor)) found.push_back(std::to_string(value));
  return found;
}

Result<std::vector<RuntimeValue>> label_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs an operand");
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const LabelTable table, label_table(args.node, in.dtype));
  std::map<std::string, std::int64_t> place;
  for (const std::string &key : texts(table.keys)) place.emplace(key, static_cast<std::int64_t>(place.size()));
  std::vector<std::int64_t> sources;
  for (const std::string &key : texts(in)) {
    const auto found = place.find(key);
    sources.push_back(found == place.end() ? -1 : found->second);
  }
  const Tensor otherwise = default_label(args.node, table.values);
  return one(take_elements(table.values, in.dims, sources, &otherwise));
}

// ---- OneHotEncoder

Result<std::vector<Type>> infer_one_hot(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const auto categories =
      std::max(args.node.get_ints("cats_int64s").size(), strings_attribute(args.node, "cats_strings").size());
  auto shape = args.input(0)->shape;
  if (shape) shape->push_back(Dim::known(static_cast<std::int64_t>(categories)));
  return std::vector<Type>{Type::tensor(DType::float32, std::move(shape))};
}

Result<std::vector<RuntimeValue>> one_hot_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_one_hot));
  const Tensor &in = *args.inputs[0];
  auto categories = strings_attribute(args.node, "cats_strings");
  if (in.dtype != DType::string) {
    categories.clear();
    for (const std::int64_t number : args.node.get_ints("cats_int64s")) categories.push_back(std::to_string(number));
  }
  const Tensor whole = in.dtype == DType::string ? in : from_int64s(DType::int64, in.dims, to_int64s(in));
  std::vector<float> out;
  for (const std::string &key : texts(whole)) {
    const auto found = std::ranges::find(categories, key);
    if (found == categories.end() && args.node.get_int("zeros", 1) == 0)
      return bad_input(fmt::format("{} is not a category", key));
    for (auto category = categories.begin(); category != categories.end(); ++category)
      out.push_back(category == found ? 1 : 0);
  }
  return one(Tensor::of(*types[0].concrete(), std::move(out)));
}

// ---- LinearRegressor, LinearClassifier: X [rows, features] to scores, and the class of the highest

Result<std::vector<Type>> infer_linear(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  const Dim rows = !in.shape ? Dim::unknown() : in.shape->size() == 2 ? (*in.shape)[0] : Dim::known(1);
  if (args.node.op == "LinearRegressor") {
    const Dim targets = Dim::known(args.node.get_int("targets", 1));
    return std::vector<Type>{Type::tensor(DType::float32, Shape{rows, targets})};
  }
  const std::size_t names = strings_attribute(args.node, "classlabels_strings").size(),
                    numbers = args.node.get_ints("classlabels_ints").size();
  const Dim classes = Dim::known(static_cast<std::int64_t>(std::max(names, numbers)));
  return std::vector<Type>{Type::tensor(names > 0 ? DType::string : DType::int64, Shape{rows}),
                           Type::tensor(DType::float32, Shape{rows, classes})};
}

/// Scores [rows, count]: X times the coefficients [count, features], and the intercepts.
Result<std::vector<float>> scores(const EvalArgs &args, std::size_t count) {
  const Tensor &in = *args.inputs[0];
  if (in.dims.empty() || in.rank() > 2 || count == 0) return bad_input("expected rows of features");
  const auto x = to_floats(in), weights = floats_attribute(args.node, "coefficients");
  auto bias = floats_attribute(args.node, "intercepts");
  const auto features = static_cast<std::size_t>(in.dims.back()),
             rows = in.rank() == 2 ? static_cast<std::size_t>(in.dims[0]) : 1;
  if (bias.empty()) bias.resize(count);
  if (weights.size() != count * features || bias.size() != count)
    return unsupported(fmt::format("{} coefficients and {} intercepts for {} scores of {} features", weights.size(),
                                   bias.size(), count, features));
  std::vector<float> out;
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t k = 0; k < count; ++k) {
      double sum = bias[k];
      for (std::size_t i = 0; i < features; ++i)
        sum += static_cast<double>(weights[k * features + i]) * x[row * features + i];
      out.push_back(static_cast<float>(sum));
    }
  return out;
}

Status post_transform(const Node &node, std::vector<float> &scores, std::size_t width) {
  const std::string kind = node.get_string("post_transform", "NONE");
  if (kind == "NONE") return {};
  if (kind == "LOGISTIC") {
    for (float &score : scores) score = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(score))));
    return {};
  }
  if (kind != "SOFTMAX") return unsupported(fmt::format("post_transform {}", kind));
  for (std::size_t row = 0; row < scores.size(); row += width) {
    const auto values = std::span(scores).subspan(row, width);
    const double high = *std::ranges::max_element(values);
    double sum = 0;
    for (const float value : values) sum += std::exp(value - high);
    for (float &value : values) value = static_cast<float>(std::exp(value - high) / sum);
  }
  return {};
}

Result<std::vector<RuntimeValue>> linear_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_linear));
  const auto width = static_cast<std::size_t>(types.back().shape->back().size);
  EDGEC_ASSIGN(std::vector<float> found, scores(args, width));
  if (types.size() == 1) {
    EDGEC_CHECK(post_transform(args.node, found, width));
    return one(Tensor::of(*types[0].concrete(), std::move(found)));
  }
  std::vector<std::int64_t> best;
  for (std::size_t row = 0; row < found.size(); row += width)
    best.push_back(std::ranges::max_element(found.begin() + static_cast<std::ptrdiff_t>(row),
                                            found.begin() + static_cast<std::ptrdiff_t>(row + width)) -
                   found.begin() - static_cast<std::ptrdiff_t>(row));
  EDGEC_CHECK(post_transform(args.node, found, width));
  auto numbers = args.node.get_ints("classlabels_ints");
  auto names = strings_attribute(args.node, "classlabels_strings");
  const Dims count{static_cast<std::int64_t>(width)};
  const Tensor classes =
      names.empty() ? Tensor::of(count, std::move(numbers)) : Tensor::of_strings(count, std::move(names));
  auto outputs = one(take_elements(classes, *types[0].concrete(), best));
  outputs.emplace_back(Tensor::of(*types[1].concrete(), std::move(found)));
  return outputs;
}

OpDef ml(std::string_view name, std::string_view summary, decltype(OpDef::infer) infer,
         decltype(OpDef::reference) reference) {
  return {.name = name, .domain = "ai.onnx.ml", .summary = summary, .infer = infer, .reference = reference};
}

const OpDef defs[] = {
    ml("ArrayFeatureExtractor", "elements of the last axis", infer_extractor, extractor_reference),
    ml("Binarizer", "1 above a threshold, else 0", infer_floats, binarizer_reference),
    ml("LabelEncoder", "a value for each key", infer_label, label_reference),
    ml("LinearClassifier", "the class of the highest linear score", infer_linear, linear_reference),
    ml("LinearRegressor", "linear scores", infer_linear, linear_reference),
    ml("Normalizer", "rows divided by their norm", infer_floats, normalizer_reference),
    ml("OneHotEncoder", "1 for the category of each value", infer_one_hot, one_hot_reference),
    ml("Scaler", "features moved and scaled", infer_floats, scaler_reference),
};

} // namespace

std::span<const OpDef> classical() { return defs; }

} // namespace edgec::ops
