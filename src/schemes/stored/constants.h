// Float constants of a network that become codes: weights of layers and of recurrent networks, tables of embeddings,
// at the top and inside If, Loop and Scan.
#pragma once

#include <map>
#include <set>

#include "schemes/job.h"
#include "schemes/stored/codes.h"

namespace edgec {

/// What is stored how.
struct StoreRequest {
  NumberSpec spec;
  bool packed_tables = false; ///< of 4 bits, where a row has an even number of columns
  bool layers = true;         ///< weights of Conv, Gemm, MatMul at the top, too; else what these schemes never quantize
  std::set<ValueId> ends;     ///< weights that have 8 bits
  bool searched = true; ///< steps are chosen by squared error; else they reach from the least to the largest weight
};

/// Whether a constant that lies so may be read through codes and takes fewer bytes so.
struct StoredPlace {
  LineLayout layout;
  NumberSpec number;  ///< of what is not a table
  bool table = false; ///< only nodes `Gather` of axis 0 in the same graph read it
};

/// The constants of `graph` itself that are worth it, by value, with how they lie. What is not is said in the name of
/// `pass`, with its bytes.
std::map<ValueId, StoredPlace> storable_constants(const Graph &graph, const StoreRequest &request, const Job &job,
                                                  std::string_view pass);

/// What the options ask for, of this graph.
StoreRequest store_request(const Graph &graph, const Job &job);

/// Whether tables of 8-bit codes would take more of the file than all other codes.
bool tables_prevail(const Graph &graph, const StoreRequest &request, const Job &job);

/// Rounds them to nearest and puts codes in their place, in sub-graphs, too. True if something changed. A constant with
/// several readers is stored once. Types are to be inferred again.
Result<bool> store_constants(Graph &graph, const StoreRequest &request, const Job &job, std::string_view pass);

} // namespace edgec
