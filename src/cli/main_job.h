// The main job (job/compress_file.h) as commands run it: names, warnings, the progress line, what is printed.
#pragma once

#include "cli/command.h"
#include "job/compress_file.h"

namespace edgec {

/// `json`: the report is printed as JSON. Budgets that are missed, and what found nothing to do, are Outcome::missed.
Result<Outcome> run_main_job(CompressFile &file, const OutputFlags &output, bool json, const Options &options);

} // namespace edgec
