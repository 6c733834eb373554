// An option in words: what --help, man pages and completions show of a row.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "support/option.h"

namespace edgec {

/// "-o, --output FILE", "--range minmax|mse", "--int8 [auto|static]": the last may be left out.
std::string option_heading(const Option &option);
/// What it means, how its value may be written, and its default.
std::string option_help(const Option &option);
/// Titles of the groups of flags, in order.
std::vector<std::string> option_groups(const std::deque<Option> &options);

} // namespace edgec
