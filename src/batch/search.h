// A sweep whose next jobs follow from the results so far: the front of size and quality for a part of the grid's runs.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "batch/result_folder.h"
#include "batch/sampler.h"
#include "batch/sweep_file.h"

namespace edgec {

/// What is tried: a grid of values, beside options that all have.
struct SearchSpace {
  OptionTexts options;
  std::vector<GridAxis> axes;

  /// Bits of weights, sparsity, channels cut, and how ranges are found.
  static SearchSpace usual();
  [[nodiscard]] std::vector<SamplerAxis> sampled() const;
  [[nodiscard]] std::vector<std::string> varied() const;
  [[nodiscard]] Combination at(const GridPoint &point, const std::string &network) const;
  /// An option of all; one that the space says itself wins.
  void set(const std::string &option, const std::string &value);
};

/// A file of [options] and [grid]. Errors (usage) name the key.
Result<SearchSpace> parse_space(const nlohmann::ordered_json &file);

struct SearchBudget {
  std::size_t runs = 0; ///< jobs, those whose results were there before included
  std::uint64_t seed = 0;
};

/// Runs jobs and gives their results, in order.
using RunBatch = std::function<Result<std::vector<JobResult>>(const std::vector<SweepJob> &)>;

/// The jobs that were run, in the order in which they were thought of. The same for any number of them at once.
Result<std::vector<SweepJob>> search(const std::string &network, const SearchSpace &space, const SearchBudget &budget,
                                     JobMaker &maker, const RunBatch &run);

} // namespace edgec
