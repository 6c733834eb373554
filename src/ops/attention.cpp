// Attention (ONNX Attention-24; Vaswani et al. 2017) and RotaryEmbedding (Su et al. 2021).
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/broadcast.h"
#include "ops/shared/elements.h"
#include "ops/shared/shape.h"
#include "support/half.h"

namespace edgec::ops {
namespace {

/// Q [batch, heads, queries, size] and so on; 3-D operands [batch, length, heads * size] are seen as such.
struct Heads {
  std::int64_t batch, heads, length, size;
  bool packed; // a 3-D operand

  [[nodiscard]] std::size_t at(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return static_cast<std::size_t>((packed ? (b * length + i) * heads + h : (b * heads + h) * length + i) * size);
  }
};

Result<Heads> heads(const Dims &dims, std::int64_t count) {
  if (dims.size() == 4) return Heads{dims[0], dims[1], dims[2], dims[3], false};
  if (dims.size() != 3) return bad_input(fmt::format("an operand of rank {}, expected 3 or 4", dims.size()));
  if (count < 1 || dims[2] % count != 0)
    return bad_input(fmt::format("{} numbers do not divide into {} heads", dims[2], count));
  return Heads{dims[0], count, dims[1], dims[2] / count, true};
}

Result<std::vector<Type>> infer_attention(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &q = *args.input(0), &v = *args.input(2);
  std::vector<Type> types{Type::tensor(q.dtype), Type::tensor(q.dtype), Type::tensor(v.dtype), Type::tensor(q.dtype)};
  const auto qd = q.concrete(), kd = args.input(1)->concrete(), vd = v.concrete();
  if (q.shape && (!qd || !kd || !vd)) types[0].shape = Shape(q.shape->size());
  if (!qd || !kd || !vd) return types;
  const std::int64_t kv_heads = args.node.get_int("kv_num_heads", 0);
  EDGEC_ASSIGN(const Heads query, heads(*qd, args.node.get_int("q_num_heads", 0)));
  EDGEC_ASSIGN(const Heads key, heads(*kd, kv_heads));
  EDGEC_ASSIGN(const Heads value, heads(*vd, kv_heads));
  if (query.batch != key.batch || key.batch != value.batch || key.heads != value.heads || key.length != value.length ||
      query.size != key.size || key.heads == 0 || query.heads % key.heads != 0)
    return bad_input(
        fmt::format("Q {}, K {} and V {} do not fit", to_string(q), to_string(*args.input(1)), to_string(v)));
  types[0] = Type::tensor(q.dtype, query.packed ? Dims{query.batch, query.length, query.heads * value.size}
                                                : Dims{query.batch, query.heads, query.length, value.size});
  const auto past = args.input(4) ? args.input(4)->concrete() : Dims{0, 0, 0, 0};
  if (!past || past->size() != 4) return types;
  const std::int64_t total = key.length + (*past)[2];
  types[1] = Type::tensor(q.dtype, Dims{key.batch, key.heads, total, key.size});
  types[2] = Type::tensor(v.dtype, Dims{key.batch, key.heads, total, value.size});
  types[3] = Type::tensor(q.dtype, Dims{query.batch, query.heads, query.length, total});
  return types;
}

/// The past's rows and then the present's, [batch, heads, past + length, size].
std::vector<double> joined(const Tensor *past, const Tensor &present, const Heads &shape) {
  const auto old = past ? to_doubles(*past) : std::vector<double>(), fresh = to_doubles(present);
  const std::int64_t rows = past ? past->dims[2] : 0;
  std::vector<double> out;
  out.reserve(old.size() + fresh.size());
  for (std::int64_t b = 0; b < shape.batch; ++b)
    for (std::int64_t h = 0; h < shape.heads; ++h) {
      const auto from = old.begin() + (b * shape.heads + h) * rows * shape.size;
      out.insert(out.end(), from, from + rows * shape.size);
      for (std::int64_t i = 0; i < shape.length; ++i) {
        const auto row = fresh.begin() + static_cast<std::ptrdiff_t>(shape.at(b, h, i));
        out.insert(out.end(), row, row + shape.size);
      }
    }
  return out;
}

/// What is added to the scores: the mask broadcast to [batch, heads, queries, total], -infinity where nothing may be
/// seen.
Result<std::vector<double>> mask(const EvalArgs &args, const Heads &query, std::int64_t past, std::int64_t total) {
  const Dims dims{query.batch, query.heads, query.length, total};
  std::vector<double> found(static_cast<std::size_t>(*element_count(dims)), 0);
  if (const Tensor *given = args.input(3)) {
    Dims own = given->dims;
    if (own.empty() || own.back() > total)
      return bad_input(fmt::format("a mask of rank {} for {} keys", own.size(), total));
    auto values = to_doubles(*given);
    if (given->dtype == DType::boolean)
      for (double &value : values) value = value != 0 ? 0 : -INFINITY;
    if (own.back() < total && own.back() != 1) { // keys beyond the mask are not seen
      std::vector<double> wide;
      for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(own.back())) {
        wide.insert(wide.end(), values.begin() + static_cast<std::ptrdiff_t>(i),
                    values.begin() + static_cast<std::ptrdiff_t>(i) + own.back());
        wide.insert(wide.end(), static_cast<std::size_t>(total - own.back()), -INFINITY);
      }
      own.back() = total;
      values = std::move(wide);
    }
    EDGEC_ASSIGN(const Dims common, broadcast(own, dims));
    if (common != dims) return bad_input("the mask does not broadcast to the scores");
    BroadcastIndex at(own, dims);
    for (double &value : found) value = values[at.next()];
  }
  const auto lengths = args.input(6) ? to_int64s(*args.inputs[6]) : std::vector<std::int64_t>();
  if (!lengths.empty() && static_cast<std::int64_t>(lengths.size()) != query.batch)
    return bad_input("one length a batch is needed");
  const bool causal = args.node.get_int("is_causal", 0) != 0;
  const std::int64_t left = args.node.get_int("left_window_size", -1),
                     right = args.node.get_int("right_window_size", -1);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t key = at % total, row = at / total % query.length, b = at / (total * query.length * query.heads);
    const std::int64_t length = lengths.empty() ? total : lengths[static_cast<std::size_t>(b)];
    const std::int64_t before =
        lengths.empty() ? past : length - query.length; // keys that stand before the first query
    const std::int64_t place = row + before;
    const bool outside = (left >= 0 && key < place - left) || (right >= 0 && key > place + right);
    if ((causal && key > place) || outside || key >= length) found[i] = -INFINITY;
  }
  return found;
}

/// Attention is defined as other operators one after another, each giving numbers of the operands' type: those of 16
/// bits are rounded after every step.
struct Rounding {
  DType dtype;
  double operator()(double x) const {
    if (dtype == DType::bfloat16) return bfloat16_to_float(float_to_bfloat16(static_cast<float>(x)));
    return dtype == DType::float16 ? half_to_float(float_to_half(static_cast<float>(x))) : x;
  }
};

void softmax(double *row, std::int64_t count, const Rounding &round) {
  const double high = *std::max_element(row, row + count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    row[i] = std::isinf(high) && high < 0 ? 0 : round(std::exp(round(row[i] - high)));
    sum += row[i];
    if (round.dtype == DType::bfloat16) sum = round(sum);
  }
  sum = round(sum);
  for (std::int64_t i = 0; i < count; ++i)
    row[i] = sum == 0 ? 0 : round(row[i] / sum); // a query that sees nothing gives 0
}

Result<std::vector<RuntimeValue>> attention_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, infer_attention(ConcreteArgs(args)));
  EDGEC_ASSIGN(const Heads query, heads(args.inputs[0]->dims, args.node.get_int("q_num_heads", 0)));
  const std::int64_t kv_heads = args.node.get_int("kv_num_heads", 0);
  EDGEC_ASSIGN(const Heads key, heads(args.inputs[1]->dims, kv_heads));
  EDGEC_ASSIGN(const Heads value, heads(args.inputs[2]->dims, kv_heads));
  for (const auto &[i, shape] : {std::pair{std::size_t{4}, key}, std::pair{std::size_t{5}, value}})
    if (const Tensor *past = args.input(i))
      if (past->rank() != 4 || past->dims[0] != shape.batch || past->dims[1] != shape.heads ||
          past->dims[3] != shape.size || (args.input(4) == nullptr) != (args.input(5) == nullptr) ||
          past->dims[2] != args.inputs[4]->dims[2])
        return bad_input("past key and value do not fit");
  const std::int64_t past = args.input(4) ? args.inputs[4]->dims[2] : 0, total = past + key.length;
  if (!element_count(Dims{query.batch, query.heads, query.length, total}) || total == 0) return bad_input("no keys");
  EDGEC_CHECK(check_size(DType::float64, {query.batch, query.heads, query.length, total}));
  const auto q = to_doubles(*args.inputs[0]), k = joined(args.input(4), *args.inputs[1], key),
             v = joined(args.input(5), *args.inputs[2], value);
  EDGEC_ASSIGN(const auto added, mask(args, query, past, total));
  const Rounding round{args.inputs[0]->dtype};
  const auto precision = args.node.get_int("softmax_precision", 0);
  const Rounding softmax_round{precision > 0 && precision < dtype_count ? static_cast<DType>(precision) : round.dtype};
  // Half of the scale goes to each of Q and K.
  const double scale = args.node.get_float("scale", 1 / std::sqrt(static_cast<float>(query.size))),
               root = round(std::sqrt(scale)), cap = args.node.get_float("softcap", 0);
  const std::int64_t wanted = args.node.get_int("qk_matmul_output_mode", 0), group = query.heads / key.heads;
  std::vector<double> shown(added.size()),
      out(static_cast<std::size_t>(query.batch * query.heads * query.length * value.size));
  Heads result = query;
  result.size = value.size;
  for (std::int64_t b = 0; b < query.batch; ++b)
    for (std::int64_t h = 0; h < query.heads; ++h)
      for (std::int64_t i = 0; i < query.length; ++i) {
        const std::int64_t base = ((b * query.heads + h) * query.length + i) * total, kv = b * key.heads + h / group;
        std::vector<double> row(static_cast<std::size_t>(total));
        const auto show = [&](std::int64_t mode) {
          if (wanted == mode) std::ranges::copy(row, shown.begin() + base);
        };
        for (std::int64_t j = 0; j < total; ++j) {
          double sum = 0;
          for (std::int64_t d = 0; d < key.size; ++d)
            sum += round(q[query.at(b, h, i) + static_cast<std::size_t>(d)] * root) *
                   round(k[static_cast<std::size_t>((kv * total + j) * key.size + d)] * root);
          row[static_cast<std::size_t>(j)] = round(sum);
        }
        show(0);
        const auto apply_cap = [&] {
          if (cap > 0)
            for (double &score : row) score = round(cap * std::tanh(score / cap));
        };
        apply_cap();
        show(1);
        for (std::int64_t j = 0; j < total; ++j)
          row[static_cast<std::size_t>(j)] =
              round(row[static_cast<std::size_t>(j)] + added[static_cast<std::size_t>(base + j)]);
        show(2);
        softmax(row.data(), total, softmax_round);
        for (double &share : row) share = round(share);
        show(3);
        for (std::int64_t d = 0; d < value.size; ++d) {
          double sum = 0;
          for (std::int64_t j = 0; j < total; ++j)
            if (row[static_cast<std::size_t>(j)] != 0)
              sum += row[static_cast<std::size_t>(j)] * v[static_cast<std::size_t>((kv * total + j) * value.size + d)];
          out[result.at(b, h, i) + static_cast<std::size_t>(d)] = sum;
        }
      }
  auto outputs = one(from_doubles(types[0].dtype, *types[0].concrete(), out));
  outputs.emplace_back(from_doubles(types[1].dtype, {key.batch, key.heads, total, key.size}, k));
  outputs.emplace_back(from_doubles(types[2].dtype, {key.batch, key.heads, total, value.size}, v));
  outputs.emplace_back(from_doubles(types[3].dtype, {query.batch, query.heads, query.length, total}, shown));
  return outputs;
}

// ---- RotaryEmbedding: pairs of numbers of each head turned by an angle of its position

Result<std::vector<Type>> infer_rotary(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  return infer_same(args);
}

Result<std::vector<RuntimeValue>> rotary_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_rotary));
  const Tensor &in = *args.inputs[0], &cosines = *args.inputs[1];
  EDGEC_ASSIGN(const Heads shape, heads(in.dims, args.node.get_int("num_heads", 0)));
  std::int64_t turned = args.node.get_int("rotary_embedding_dim", 0);
  if (turned == 0) turned = shape.size;
  const std::int64_t half = turned / 2;
  if (turned < 2 || turned > shape.size || cosines.rank() < 2 || cosines.dims.back() != half ||
      args.inputs[2]->dims != cosines.dims)
    return bad_input(
        fmt::format("caches of {} angles for {} numbers", cosines.rank() > 0 ? cosines.dims.back() : 0, turned));
  const Tensor *positions = args.input(3);
  const auto place = positions ? to_int64s(*positions) : std::vector<std::int64_t>();
  const std::int64_t rows = cosines.size() / std::max<std::int64_t>(half, 1);
  if (positions ? positions->size() != shape.batch * shape.length : rows != shape.batch * shape.length)
    return bad_input(
        fmt::format("{} positions for {} x {} steps", positions ? positions->size() : rows, shape.batch, shape.length));
  const bool interleaved = args.node.get_int("interleaved", 0) != 0;
  const auto c = to_doubles(cosines), s = to_doubles(*args.inputs[2]);
  auto x = to_doubles(in);
  for (std::int64_t b = 0; b < shape.batch; ++b)
    for (std::int64_t h = 0; h < shape.heads; ++h)
      for (std::int64_t i = 0; i < shape.length; ++i) {
        const std::int64_t step = b * shape.length + i, row = positions ? place[static_cast<std::size_t>(step)] : step;
        if (row < 0 || row >= rows) return bad_input(fmt::format("position {} of {}", row, rows));
        double *pair = x.data() + shape.at(b, h, i);
        for (std::int64_t d = 0; d < half; ++d) {
          double &first = pair[interleaved ? 2 * d : d], &second = pair[interleaved ? 2 * d + 1 : d + half];
          const double cosine = c[static_cast<std::size_t>(row * half + d)],
                       sine = s[static_cast<std::size_t>(row * half + d)];
          const double real = cosine * first - sine * second, imaginary = sine * first + cosine * second;
          first = real;
          second = imaginary;
        }
      }
  return one(from_doubles(in.dtype, in.dims, x));
}

const OpDef defs[] = {
    {.name = "Attention",
     .since = 23,
     .summary = "softmax(Q K^T scaled, masked) V, with a cache",
     .infer = infer_attention,
     .reference = attention_reference},
    {.name = "RotaryEmbedding",
     .since = 23,
     .summary = "positions as rotations of pairs",
     .infer = infer_rotary,
     .reference = rotary_reference},
};

} // namespace

std::span<const OpDef> attention() { return defs; }

} // namespace edgec::ops
