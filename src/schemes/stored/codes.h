// Codes in place of a float constant: DequantizeLinear gives the reals that they stand for.
#pragma once

#include "compress/grid.h"
#include "ir/graph.h"
#include "schemes/stored/options.h"

namespace edgec {

/// Which numbers of a constant make a line, all of which have one scale or blocks of it.
struct LineLayout {
  int axis = 0;       ///< an index of this axis is a line; or
  bool along = false; ///< lines lie along it
  /// Leading dims that `axis` is counted within: the two directions of an LSTM have rows of their own.
  bool stacked = false;
};

/// The constant's numbers, line by line, and numbers of lines as the constant lies.
Lines lines_of(const Tensor &tensor, const LineLayout &layout);
std::vector<std::int64_t> as_stored(std::span<const std::int16_t> lines, const Dims &dims, const LineLayout &layout);

/// Bytes of codes and grid in a file, and of the nodes that read them.
std::size_t stored_bytes(const Tensor &tensor, const LineLayout &layout, const NumberSpec &spec);

/// The reals of the codes (line by line), of the type of the constant `weight`: a value that may be read in its place.
/// The graph is to be sorted.
ValueId add_codes(Graph &graph, ValueId weight, const LineLayout &layout, const NumberSpec &spec, const Grid &grid,
                  std::span<const std::int16_t> codes);

/// The same for a table [rows, ...] of which `gather` (axis 0) takes rows: of rows of codes it makes what `gather`
/// gave. Codes of 4 bits lie two a byte, a row's first half in the low bits, since Gather takes no smaller elements.
class StoredTable {
public:
  /// `packed`: 4 bits, asymmetric, of a matrix with an even number of columns; else 8 bits, symmetric, a scale per row.
  StoredTable(Graph &graph, ValueId table, const Grid &grid, std::span<const std::int16_t> codes, bool packed);
  /// Replaces what the node gives.
  void read_by(Graph &graph, NodeId gather) const;

private:
  ValueId codes_, scales_, zeros_;
  std::int64_t block_ = 0;
  bool packed_;
};
std::size_t table_bytes(const Tensor &table, std::int64_t block, bool packed);

} // namespace edgec
