#include "report/report_file.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "report/view.h"
#include "support/file.h"
#include "support/text.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;
using Reports = std::vector<Json>;

std::string json_report(const Reports &reports) {
  return reports.front().dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

struct ReportFormat {
  std::string_view ending;
  bool several; ///< holds more than one report
  std::string (*text)(const Reports &);
};
constexpr ReportFormat formats[] = {{".json", false, json_report},
                                    {".html", true, html_report},
                                    {".md", true, markdown_report},
                                    {".xml", true, junit_report}};

} // namespace

std::span<const std::string_view> report_endings() {
  static const auto endings = [] {
    std::array<std::string_view, std::size(formats)> found;
    std::ranges::transform(formats, found.begin(), &ReportFormat::ending);
    return found;
  }();
  return endings;
}

Result<std::string> report_file_text(const Reports &reports, const std::string &path) {
  const auto format = std::ranges::find(formats, lower_ending(path), &ReportFormat::ending);
  if (format == std::end(formats)) return usage_error(fmt::format("{}: no report has this ending", path));
  if (reports.empty() || (reports.size() > 1 && !format->several))
    return usage_error(fmt::format("{}: holds one report, {} were given", path, reports.size()));
  return format->text(reports);
}

Result<std::string> report_file_text(const std::string &json, const std::string &path) {
  return report_file_text(Reports{Json::parse(json)}, path);
}

Result<Json> read_report(const std::string &path) {
  EDGEC_ASSIGN(const Storage file, read_file(path));
  const std::string_view text(reinterpret_cast<const char *>(file.data()), file.size());
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return bad_input(fmt::format("{}: is not JSON", path));
  const std::string schema = View(json).text("schema");
  if (schema != "edgec-report/1")
    return bad_input(
        fmt::format("{}: is not a report of 'edgec compress' (edgec-report/1): its schema is '{}'", path, schema));
  return json;
}

} // namespace edgec
