// edgec.lock: what results have to be, committed beside the code that makes them; `edgec check` compares.
//
//   [[result]]
//   report = "build/r.json"           # what compress --report wrote
//   sha256 = "..."                    # of the file that it is about; a key that is not there is not checked
//   bytes = 34091
//   top1 = 0.98
//   [result.tolerance]                # how far a figure may lie from this one; others: not at all
//   top1 = 0.005
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/result.h"

namespace edgec {

struct LockedFigure {
  std::string name; ///< "bytes", "top1"
  double value = 0, tolerance = 0;
};

/// A result as it is, or as the lock wants it.
struct LockedResult {
  std::string report, file, sha256;
  std::vector<LockedFigure> figures;
};

/// Errors (bad_input) name the key.
Result<std::vector<LockedResult>> parse_lock(const nlohmann::ordered_json &lock);
std::string lock_text(const std::vector<LockedResult> &results);

/// What a report and the file that it is about say, with the usual tolerances. Errors (bad_input): the file is missing
/// or is not the one of the report.
Result<LockedResult> result_of(const std::string &path, const nlohmann::ordered_json &report);

struct LockDifference {
  std::string report, figure;
  std::string locked, found; ///< as people read them
  std::string by;            ///< "+911 (+2.7 %), 0 allowed"; empty: no number
};
std::vector<LockDifference> differences(const LockedResult &locked, const LockedResult &found);

/// The lock with what was found: its tolerances, and which figures it has, stay; a result that it did not have is
/// added.
std::vector<LockedResult> updated(std::vector<LockedResult> lock, const std::vector<LockedResult> &found);

} // namespace edgec
