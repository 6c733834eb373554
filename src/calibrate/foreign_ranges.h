// Ranges that other tools found: their tables as ours.
#pragma once

#include <optional>
#include <string_view>

#include "calibrate/range_table.h"

namespace edgec {

/// AIMET's and QNN's encodings (JSON: "activation_encodings" by name or as a list, "encodings" of version 2) and
/// TensorRT's calibration cache ("TRT-...", then lines NAME: scale in hexadecimal). Such a table has ranges only, of
/// the values that it names: it is not complete, and of no network in particular. Of a symmetric encoding the range is
/// what its codes reach. Nothing: the text is none of them. Error (bad_input): it is, and what is wrong with it.
Result<std::optional<RangeTable>> parse_foreign_ranges(std::string_view text);

} // namespace edgec
