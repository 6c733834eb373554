// The curve of sizes and losses that a search saw: as JSON, CSV or a drawing.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/result.h"

namespace edgec {

/// One network of the search.
struct ParetoPoint {
  double rate = 0; ///< squared error of the logits that a bit of the file may cost
  std::size_t bytes = 0;
  std::optional<double> agreement, sqnr_db; ///< on held-out samples; agreement 0 .. 1
  bool chosen = false;                      ///< this is the one that was written
};

struct Pareto {
  std::string title;                                ///< the network's name
  std::vector<ParetoPoint> points;                  ///< by ascending bytes
  std::optional<double> max_bytes, least_agreement; ///< the budgets
};

/// {"schema": "edgec-pareto/1", "network", "max_bytes", "least_agreement", "points": [{"rate", "bytes", "agreement",
/// "sqnr_db", "chosen"}]}; what is not known is null.
std::string pareto_json(const Pareto &pareto);
nlohmann::ordered_json to_json(const Pareto &pareto);
/// rate,bytes,agreement,sqnr_db,chosen; what is not known is empty.
std::string pareto_csv(const Pareto &pareto);
/// Agreement (axis on the left) and SQNR (on the right) over bytes; the chosen point filled, budgets dashed.
std::string pareto_svg(const Pareto &pareto);

/// By the extension of `path`: .json, .csv or .svg. Code::usage: another one.
Result<std::string> pareto_text(const Pareto &pareto, const std::string &path);

} // namespace edgec
