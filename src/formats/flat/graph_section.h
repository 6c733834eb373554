// The graph section: a Model's structure as one FlatBuffer (graph.fbs).
#pragma once

#include <functional>

#include "formats/flat/flat.h"
#include "formats/flat/tensor_store.h"
#include "ir/graph.h"

namespace edgec::flat {

inline constexpr int max_graph_depth = 32; ///< sub-graphs within sub-graphs, as ir/verify.cpp
inline constexpr std::size_t max_section_bytes =
    (std::size_t{1} << 31) - (std::size_t{1} << 20); ///< FlatBuffers' limit

/// A graph's values in the order a file numbers them: inputs, captures, then the others by id. Values that nothing
/// gives are left out.
std::vector<ValueId> file_order(const Graph &graph);

/// The structure; tensors go into `tensors`, and are told to lie where it says. Where that is not known yet, a second
/// call gives the same but for it.
Result<std::vector<std::byte>> write_graph_section(const Model &model, TensorStore &tensors,
                                                   const FlatWriteOptions &options);

/// Gives the raw bytes of a tensor section, or an error that names it.
using SectionLoader = std::function<Result<Storage>(std::uint32_t section)>;

/// The reverse. Every index, count and size in it is checked.
Result<Model> read_graph_section(ByteView bytes, const SectionLoader &load);

} // namespace edgec::flat
