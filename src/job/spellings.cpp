#include "job/spellings.h"

#include <algorithm>
#include <bit>

#include "ir/evaluate.h"

namespace edgec {
namespace {

/// The weight of a product, in codes.
struct BlockedWeight {
  Tensor codes; ///< [K, N]
  Quant quant;
  std::int64_t k = 0, n = 0;

  [[nodiscard]] int width() const { return bits(codes.dtype) == 4 ? 4 : 8; }
  [[nodiscard]] std::int64_t blocks() const { return (k + quant.block - 1) / quant.block; }
  /// What MatMulNBits adds to signed codes to have unsigned ones.
  [[nodiscard]] std::int64_t shift() const {
    return codes.dtype == DType::int4 || codes.dtype == DType::int8 ? std::int64_t{1} << (width() - 1) : 0;
  }
};

/// Nothing where operand 1 is no such weight.
std::optional<BlockedWeight> blocked_weight(const Graph &graph, const Node &product) {
  const Node *dequantize = product.input(1).valid() ? graph.producer(product.input(1)) : nullptr;
  if (dequantize == nullptr || !dequantize->is("DequantizeLinear")) return std::nullopt;
  const ValueId held = dequantize->inputs[0];
  const Tensor *codes = graph.constant(held);
  const auto &quant = graph.value(held).type.quant;
  if (codes == nullptr || !quant || codes->rank() != 2 || quant->axis != 0) return std::nullopt;
  const bool four = codes->dtype == DType::int4 || codes->dtype == DType::uint4;
  const bool eight = codes->dtype == DType::int8 || codes->dtype == DType::uint8;
  if ((!four && !eight) || quant->block < 16 || !std::has_single_bit(static_cast<std::uint64_t>(quant->block)))
    return std::nullopt;
  return BlockedWeight{*codes, *quant, codes->dims[0], codes->dims[1]};
}

/// Rows of `count` codes in whole bytes, the first in the low bits.
std::vector<std::uint8_t> packed(const std::vector<std::uint8_t> &codes, std::size_t count, int width) {
  if (width == 8) return codes;
  std::vector<std::uint8_t> bytes;
  for (std::size_t row = 0; row < codes.size(); row += count)
    for (std::size_t i = 0; i < count; i += 2)
      bytes.push_back(static_cast<std::uint8_t>(codes[row + i] | (i + 1 < count ? codes[row + i + 1] << 4 : 0)));
  return bytes;
}

Tensor packed_codes(const BlockedWeight &w) {
  const std::vector<std::int64_t> codes = to_int64s(w.codes);
  const std::int64_t row = w.blocks() * w.quant.block;
  std::vector<std::uint8_t> unsigned_codes(static_cast<std::size_t>(w.n * row));
  for (std::int64_t k = 0; k < w.k; ++k)
    for (std::int64_t n = 0; n < w.n; ++n)
      unsigned_codes[static_cast<std::size_t>(n * row + k)] =
          static_cast<std::uint8_t>(codes[static_cast<std::size_t>(k * w.n + n)] + w.shift());
  return Tensor::of({w.n, w.blocks(), w.quant.block * w.width() / 8},
                    packed(unsigned_codes, static_cast<std::size_t>(row), w.width()));
}

/// Of a grid [blocks, N], N first.
template <class T>
std::vector<T> rows_first(const std::vector<T> &grid, const BlockedWeight &w) {
  std::vector<T> turned(grid.size());
  for (std::int64_t b = 0; b < w.blocks(); ++b)
    for (std::int64_t n = 0; n < w.n; ++n)
      turned[static_cast<std::size_t>(n * w.blocks() + b)] = grid[static_cast<std::size_t>(b * w.n + n)];
  return turned;
}

/// None where they are what MatMulNBits takes without.
std::optional<Tensor> packed_zeros(const BlockedWeight &w) {
  const std::int64_t usual = std::int64_t{1} << (w.width() - 1);
  std::vector<std::uint8_t> zeros;
  for (const std::int32_t zero : rows_first(w.quant.zero_points, w))
    zeros.push_back(static_cast<std::uint8_t>(zero + w.shift()));
  if (std::ranges::all_of(zeros, [&](std::uint8_t zero) { return zero == usual; })) return std::nullopt;
  auto bytes = packed(zeros, static_cast<std::size_t>(w.blocks()), w.width());
  const Dims dims{static_cast<std::int64_t>(bytes.size())};
  return Tensor::of(dims, std::move(bytes));
}

} // namespace

void give_float_biases(Graph &graph) {
  for (const NodeId id : graph.nodes())
    for (std::size_t i = 0; i < graph.node(id).inputs.size(); ++i) {
      const ValueId operand = graph.node(id).inputs[i];
      const Node *producer = operand.valid() ? graph.producer(operand) : nullptr;
      const ValueId held = producer != nullptr && producer->is("DequantizeLinear") ? producer->inputs[0] : operand;
      const Tensor *codes = held.valid() ? graph.constant(held) : nullptr;
      const auto quant = held.valid() ? graph.value(held).type.quant : std::nullopt;
      if (codes == nullptr || codes->dtype != DType::int32 || !quant || graph.node(id).is("DequantizeLinear")) continue;
      graph.set_input(id, i, graph.add_constant(dequantize(*codes, *quant), graph.value(held).name));
    }
  graph.remove_dead();
}

std::size_t name_bit_products(Graph &graph) {
  std::size_t named = 0;
  for (const NodeId id : graph.nodes()) {
    const Node product = graph.node(id);
    if (!product.is("MatMul")) continue;
    const auto w = blocked_weight(graph, product);
    if (!w) continue;
    const std::string name = graph.value(graph.producer(product.inputs[1])->inputs[0]).name;
    const auto constant = [&](Tensor tensor, const char *suffix) {
      return graph.add_constant(std::move(tensor), name.empty() ? name : name + suffix);
    };
    Node made = product;
    made.op = "MatMulNBits";
    made.domain = "com.microsoft";
    const Dims steps{static_cast<std::int64_t>(w->quant.scales.size())};
    made.inputs = {product.inputs[0], constant(packed_codes(*w), "_bits"),
                   constant(Tensor::of(steps, rows_first(w->quant.scales, *w)), "_bits_scale")};
    if (auto zeros = packed_zeros(*w)) made.inputs.push_back(constant(*std::move(zeros), "_bits_zero_point"));
    made.attributes = {{"K", w->k}, {"N", w->n}, {"bits", std::int64_t{w->width()}}, {"block_size", w->quant.block}};
    for (std::size_t i = 0; i < product.outputs.size(); ++i)
      graph.detach_output(id, i, graph.value(product.outputs[i]).type);
    graph.remove(id);
    graph.add_node(std::move(made));
    ++named;
  }
  if (named > 0) graph.opsets.try_emplace("com.microsoft", 1);
  graph.remove_dead();
  return named;
}

} // namespace edgec
