// Ranges of a network's values on a part of the samples, as a table in a file: what `calibrate` does.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "calibrate/range_table.h"
#include "job/dataset.h"
#include "job/edit_flags.h"
#include "job/flags.h"
#include "job/pass_flags.h"
#include "job/progress.h"

namespace edgec {

/// Every count-th sample from number `index` on.
struct Shard {
  std::size_t index = 0, count = 1;
};
/// "0/4" to "3/4". Error (usage): it does not read so.
Result<Shard> parse_shard(const std::string &text);

struct CalibrateFile {
  std::string model;
  std::int64_t opset = 0; ///< 0: the input's, raised as far as int8 needs
  DataFlags data;
  Shard shard;
  PassFlags passes;
  EditFlags edits;
  RunFlags run;
};

/// The table of every float value of the network after exact passes. Error (usage): the shard has no sample.
Result<RangeTable> calibrate_file(const CalibrateFile &file, ProgressSink &progress);

/// The tables of files put together, or the one of another tool (calibrate/foreign_ranges.h). Error (bad_input) naming
/// the file: it is not a table, or of another network than `model_sha256`.
Result<RangeTable> read_range_tables(std::span<const std::string> paths, const std::string &model_sha256);

} // namespace edgec
