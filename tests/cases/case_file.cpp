#include "tests/cases/case_file.h"

#include <fstream>
#include <sstream>

namespace edgec::cases {
namespace {

std::string_view behind(std::string_view line, std::string_view key) {
  return line.starts_with(key) ? line.substr(key.size()) : std::string_view();
}

std::string trimmed(const std::string &text) {
  const auto first = text.find_first_not_of(" \n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \n") - first + 1);
}

} // namespace

std::vector<Case> read_cases(const std::filesystem::path &path) {
  std::ifstream stream(path);
  std::vector<Case> cases(1);
  bool expecting = false;
  for (std::string line; std::getline(stream, line);) {
    if (line == "====") {
      cases.emplace_back();
      expecting = false;
    } else if (line == "---- expect" || line == "---- error") {
      cases.back().fails = line == "---- error";
      expecting = true;
    } else if (expecting) {
      cases.back().expected += line + "\n";
    } else {
      cases.back().input += line + "\n";
      if (const auto fact = behind(line, "# fact: "); !fact.empty()) cases.back().fact = fact;
      std::istringstream words{std::string(behind(line, "# run: "))};
      for (std::string word; words >> word;) cases.back().command.push_back(word);
    }
  }
  for (Case &one : cases) one.expected = trimmed(one.expected);
  return cases;
}

std::string write_cases(const std::vector<Case> &cases, const std::vector<Outcome> &outcomes) {
  std::string out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (i > 0) out += "====\n";
    out += trimmed(cases[i].input) + "\n" + (outcomes[i].failed ? "---- error\n" : "---- expect\n") +
           trimmed(outcomes[i].text) + "\n";
  }
  return out;
}

} // namespace edgec::cases
