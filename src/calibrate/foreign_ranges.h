// Ranges as other tools write them: their tables as ours, and ours as theirs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "calibrate/range_table.h"

namespace edgec {

/// AIMET's and QNN's encodings (JSON: "activation_encodings" by name or as a list, "encodings" of version 2) and
/// TensorRT's calibration cache ("TRT-...", then lines NAME: scale in hexadecimal). Such a table has ranges only, of
/// the values that it names: it is not complete, and of no network in particular. Of a symmetric encoding the range is
/// what its codes reach. Nothing: the text is none of them. Error (bad_input): it is, and what is wrong with it.
Result<std::optional<RangeTable>> parse_foreign_ranges(std::string_view text);

/// Tables that other tools read, by the name that `calibrate --format` says.
struct ForeignTable {
  std::string_view name;    ///< "aimet"
  std::string_view ending;  ///< of files: ".json"; empty: any
  std::string_view summary; ///< of help
};
std::span<const ForeignTable> foreign_tables();

/// How a range is chosen of what was seen.
struct RangeChoice {
  RangeMethod method = RangeMethod::percentile;
  double percentile = 99.999;
};

/// The ranges of all values as such a table: what 8-bit codes of them reach, asymmetric (AIMET, QNN) or symmetric
/// (TensorRT). Values of which no sample has shown two numbers, and those with infinities, are left out.
/// parse_foreign_ranges() reads the same ranges. Error (bad_input): a name that the format has no words for.
Result<std::string> foreign_ranges_text(const RangeTable &table, const ForeignTable &format, const RangeChoice &choice);

} // namespace edgec
