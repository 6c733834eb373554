#include "schemes/stored/codes.h"

#include <array>

namespace edgec {
namespace {

/// What a node with its operands' names, and another constant, take in a file, roughly.
constexpr std::size_t node_bytes = 80, constant_bytes = 32;

/// Where numbers lie: index = (outer * size + at) * inner + rest.
struct Span3 {
  std::size_t outer = 1, size = 1, inner = 1;

  Span3(const Dims &dims, int axis) {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const auto dim = static_cast<std::size_t>(dims[i]);
      (static_cast<int>(i) < axis ? outer : static_cast<int>(i) == axis ? size : inner) *= dim;
    }
  }
};

/// The constant as a stack of lines: which of its numbers is the k-th of a line.
class LinePlaces {
public:
  std::size_t rows, columns;

  LinePlaces(const Dims &dims, const LineLayout &layout) : span_(dims, layout.axis), along_(layout.along) {
    if (layout.stacked) span_.size *= span_.outer, span_.outer = 1;
    rows = along_ ? span_.outer * span_.inner : span_.size;
    columns = along_ ? span_.size : span_.outer * span_.inner;
  }
  std::size_t operator()(std::size_t row, std::size_t k) const {
    if (along_) return (row / span_.inner * span_.size + k) * span_.inner + row % span_.inner;
    return (k / span_.inner * span_.size + row) * span_.inner + k % span_.inner;
  }

private:
  Span3 span_;
  bool along_;
};

/// Stored elements that share a scale, and the dims of the scales.
struct ScaleShape {
  Dims dims;
  std::vector<std::size_t> order; ///< of the grid's steps

  ScaleShape(const Dims &tensor, const LineLayout &layout, const Grid &grid) : order(grid.scales.size()) {
    if (!layout.along) {
      dims = {static_cast<std::int64_t>(order.size())};
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      return;
    }
    dims = tensor;
    dims[static_cast<std::size_t>(layout.axis)] = static_cast<std::int64_t>(grid.blocks);
    const LinePlaces places(dims, layout);
    for (std::size_t row = 0; row < places.rows; ++row)
      for (std::size_t b = 0; b < grid.blocks; ++b) order[places(row, b)] = row * grid.blocks + b;
  }
};

std::string suffixed(const std::string &name, const char *suffix) { return name.empty() ? name : name + suffix; }

NodeId first_node(const Graph &graph) { return graph.nodes().front(); }

/// A node with one output before `before`.
ValueId add(Graph &graph, const char *op, std::vector<ValueId> inputs, Type type, NodeId before,
            std::vector<Attribute> attributes = {}) {
  Node node{.op = op, .inputs = std::move(inputs), .attributes = std::move(attributes)};
  return graph.add_op(std::move(node), std::move(type), before);
}

} // namespace

Lines lines_of(const Tensor &tensor, const LineLayout &layout) {
  const std::vector<float> numbers = to_floats(tensor);
  const LinePlaces places(tensor.dims, layout);
  Lines lines{places.rows, places.columns, std::vector<float>(numbers.size())};
  for (std::size_t row = 0; row < lines.rows; ++row)
    for (std::size_t k = 0; k < lines.columns; ++k) lines.data[row * lines.columns + k] = numbers[places(row, k)];
  return lines;
}

std::vector<std::int64_t> as_stored(std::span<const std::int16_t> lines, const Dims &dims, const LineLayout &layout) {
  const LinePlaces places(dims, layout);
  std::vector<std::int64_t> stored(lines.size());
  for (std::size_t row = 0; row < places.rows; ++row)
    for (std::size_t k = 0; k < places.columns; ++k) stored[places(row, k)] = lines[row * places.columns + k];
  return stored;
}

std::size_t stored_bytes(const Tensor &tensor, const LineLayout &layout, const NumberSpec &spec) {
  const LinePlaces places(tensor.dims, layout);
  const auto block = spec.block > 0 ? static_cast<std::size_t>(spec.block) : places.columns;
  const std::size_t steps = places.rows * (layout.along ? (places.columns + block - 1) / block : 1);
  return byte_size(spec.storage(), tensor.size()) + steps * sizeof(float) +
         (!spec.symmetric ? byte_size(spec.storage(), static_cast<std::int64_t>(steps)) : 0) + node_bytes +
         2 * constant_bytes;
}

ValueId add_codes(Graph &graph, ValueId weight, const LineLayout &layout, const NumberSpec &spec, const Grid &grid,
                  std::span<const std::int16_t> codes) {
  const std::string name = graph.value(weight).name;
  const Dims dims = graph.constant(weight)->dims;
  const std::size_t lead = layout.stacked ? static_cast<std::size_t>(layout.axis) : 0;
  Dims merged = dims; // directions and rows in one dim, where each has scales of its own
  for (std::size_t i = 0; i < lead; ++i) merged[lead] *= merged[i];
  merged.erase(merged.begin(), merged.begin() + static_cast<std::ptrdiff_t>(lead));
  const int axis = layout.axis - static_cast<int>(lead);

  const ScaleShape shape(dims, layout, grid);
  Quant quant{{}, {}, axis, layout.along ? static_cast<std::int64_t>(grid.block) : 0};
  std::vector<std::int64_t> zeros;
  for (const std::size_t step : shape.order) {
    quant.scales.push_back(grid.scales[step]);
    quant.zero_points.push_back(grid.zeros[step]);
    zeros.push_back(grid.zeros[step]);
  }
  const ValueId scales = graph.add_constant(Tensor::of(shape.dims, quant.scales), suffixed(name, "_scale"));
  const ValueId zero = !spec.symmetric ? graph.add_constant(from_int64s(spec.storage(), shape.dims, zeros),
                                                            suffixed(name, "_zero_point"))
                                       : ValueId{};
  std::vector<Attribute> attributes;
  if (axis != 1) attributes.push_back({"axis", std::int64_t{axis}}); // 1 is the default
  if (layout.along) attributes.push_back({"block_size", static_cast<std::int64_t>(grid.block)});
  Tensor stored = from_int64s(spec.storage(), merged, as_stored(codes, dims, layout));
  const ValueId held = graph.add_constant(std::move(stored), suffixed(name, "_codes"), std::move(quant));
  std::vector<ValueId> inputs{held, scales};
  if (zero.valid()) inputs.push_back(zero);
  const NodeId before = first_node(graph);
  const ValueId reals = add(graph, "DequantizeLinear", std::move(inputs), Type::tensor(DType::float32, merged), before,
                            std::move(attributes));
  if (merged == dims) return reals;
  const ValueId target = graph.add_constant(Tensor::of({static_cast<std::int64_t>(dims.size())}, dims));
  return add(graph, "Reshape", {reals, target}, Type::tensor(DType::float32, dims), before);
}

std::size_t table_bytes(const Tensor &table, std::int64_t block, bool packed) {
  const auto rows = static_cast<std::size_t>(table.dims[0]), count = static_cast<std::size_t>(table.size());
  if (!packed) return count + rows * sizeof(float) + 3 * node_bytes + 2 * constant_bytes;
  const std::size_t columns = count / rows, size = block > 0 ? static_cast<std::size_t>(block) : columns;
  return count / 2 + rows * ((columns + size - 1) / size) * (sizeof(float) + 1) + 7 * node_bytes + 5 * constant_bytes;
}

StoredTable::StoredTable(Graph &graph, ValueId table, const Grid &grid, std::span<const std::int16_t> codes,
                         bool packed)
    : block_(static_cast<std::int64_t>(grid.block)), packed_(packed) {
  const std::string name = graph.value(table).name;
  const Dims dims = graph.constant(table)->dims;
  Dims steps(dims.size(), 1);
  steps[0] = dims[0];
  if (!packed) {
    const std::vector<std::int8_t> bytes(codes.begin(), codes.end());
    codes_ = graph.add_constant(Tensor::of(dims, bytes), suffixed(name, "_codes"));
    scales_ = graph.add_constant(Tensor::of(steps, grid.scales), suffixed(name, "_scale"));
    return;
  }
  steps[1] = static_cast<std::int64_t>(grid.blocks);
  const auto columns = static_cast<std::size_t>(dims[1]), half = columns / 2;
  std::vector<std::uint8_t> bytes(codes.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t low = i / half * columns + i % half;
    bytes[i] = static_cast<std::uint8_t>(codes[low] | codes[low + half] << 4);
  }
  const std::vector<std::uint8_t> zeros(grid.zeros.begin(), grid.zeros.end());
  const auto width = static_cast<std::int64_t>(half);
  codes_ = graph.add_constant(Tensor::of({dims[0], width}, std::move(bytes)), suffixed(name, "_codes"));
  scales_ = graph.add_constant(Tensor::of(steps, grid.scales), suffixed(name, "_scale"));
  zeros_ = graph.add_constant(Tensor::of(steps, zeros), suffixed(name, "_zero_point"));
}

void StoredTable::read_by(Graph &graph, NodeId gather) const {
  const Node node = graph.node(gather);
  const ValueId rows = node.inputs[1], old = node.outputs[0];
  const Type reals = graph.value(old).type;
  const auto take = [&](ValueId of) {
    return add(graph, "Gather", {of, rows}, Type::tensor(graph.constant(of)->dtype), gather);
  };
  Node last;
  if (!packed_) {
    const std::vector<Attribute> to{{"to", static_cast<std::int64_t>(DType::float32)}};
    const ValueId codes = add(graph, "Cast", {take(codes_)}, reals, gather, to);
    last.op = "Mul";
    last.inputs = {codes, take(scales_)};
  } else {
    const ValueId codes = take(codes_);
    const auto byte = [&](std::uint8_t value) { return graph.add_constant(Tensor::scalar(value)); };
    const Type bytes = Type::tensor(DType::uint8);
    const ValueId low = add(graph, "BitwiseAnd", {codes, byte(15)}, bytes, gather);
    const ValueId high = add(graph, "BitShift", {codes, byte(4)}, bytes, gather, {{"direction", std::string("RIGHT")}});
    last.op = "DequantizeLinear";
    last.inputs = {add(graph, "Concat", {low, high}, bytes, gather, {{"axis", std::int64_t{-1}}}), take(scales_),
                   take(zeros_)};
    last.attributes = {{"axis", std::int64_t{-1}}, {"block_size", block_}};
  }
  const ValueId made = graph.add_op(std::move(last), reals, gather);
  graph.set_name(made, graph.value(old).name);
  graph.set_history(graph.value(made).producer, node);
  graph.replace_uses(old, made);
  graph.remove(gather);
}

} // namespace edgec
