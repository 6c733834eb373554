// What a sweep file asks for: networks times settings, as a list of combinations.
//
//   networks = ["models/*.onnx"]      # paths or patterns, as on the command line
//   [options]                         # of every job: option names of compress
//   calib = "calib.npz"
//   [grid]                            # every combination of one value of each list
//   prune = [false, 0.3, 0.5]         # false: the option is not given
//   [[network]]                       # a network with options of its own
//   model = "other.onnx"
//   [[setting]]                       # options that belong together; the grid is run for each of them
//   int8 = true
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/result.h"

namespace edgec {

/// Options by name, each with its values as a user types them; none: the option is not given.
using OptionTexts = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// One network under one setting.
struct Combination {
  std::string network;
  OptionTexts options;
};

/// A list of values for an option; a combination takes one of them.
struct GridAxis {
  std::string option;
  std::vector<std::vector<std::string>> values;
};

struct SweepFile {
  std::vector<std::pair<std::string, OptionTexts>> networks; ///< paths, or patterns, and their own options
  OptionTexts options;
  std::vector<OptionTexts> settings; ///< at least one, which may be empty
  std::vector<GridAxis> axes;

  /// The names that jobs differ in: those of settings and axes.
  [[nodiscard]] std::vector<std::string> varied() const;
  /// All combinations, the last axis changing fastest; networks are paths, patterns having been matched. Errors
  /// (bad_input): a pattern that fits no file.
  [[nodiscard]] Result<std::vector<Combination>> combinations() const;
};

/// Errors (usage) name the key: not known, of a wrong kind, in a setting and in the grid.
Result<SweepFile> parse_sweep(const nlohmann::ordered_json &file);

/// The axes of a grid's table.
Result<std::vector<GridAxis>> parse_axes(const nlohmann::ordered_json &grid);

/// The files that a path or pattern names, sorted. Error (bad_input): there is none.
Result<std::vector<std::string>> matching_files(const std::string &pattern);

} // namespace edgec
