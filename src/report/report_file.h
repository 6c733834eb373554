// Report files: the JSON report is the one source, other formats are functions of it. A format is a row of a table.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace edgec {

/// ".json", ".html", ...
std::span<const std::string_view> report_endings();
inline constexpr const char *report_flag_help =
    "write the report: .json, a page to look at (.html), a summary for CI (.md) or JUnit's form (.xml)";

/// What a file of that name holds, of one report or of several side by side. Errors: another ending (usage), more than
/// one report for .json (usage).
Result<std::string> report_file_text(const std::vector<nlohmann::ordered_json> &reports, const std::string &path);
/// Of the report that was just made, as report_json() gives it.
Result<std::string> report_file_text(const std::string &json, const std::string &path);

/// A saved report. Error (bad_input) names the file: no JSON, or no report of edgec.
Result<nlohmann::ordered_json> read_report(const std::string &path);

/// The page of one network, of a report of which only `after`, `layers` and `nodes` are told.
std::string network_page(const nlohmann::ordered_json &report);
std::string html_report(const std::vector<nlohmann::ordered_json> &reports);
std::string markdown_report(const std::vector<nlohmann::ordered_json> &reports);
/// A test suite for each report, a case for each budget and for the verification.
std::string junit_report(const std::vector<nlohmann::ordered_json> &reports);

} // namespace edgec
