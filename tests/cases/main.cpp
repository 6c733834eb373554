// run_cases FOLDER: runs every .txt below FOLDER (case_file.h says what they hold). Exit status 1 if one fails.
// EDGEC_UPDATE=1 rewrites the expectations instead.
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>

#include "tests/cases/commands.h"

namespace edgec::cases {
namespace {

/// Runs a file's cases; gives the number that failed.
int run_file(const std::filesystem::path &path, bool update) {
  const std::vector<Case> cases = read_cases(path);
  std::vector<Outcome> outcomes;
  int failed = 0, ran = 0;
  for (const Case &one : cases) {
    const auto complain = [&](std::string_view what, std::string_view text) {
      fmt::print("{}: FAILED: {}\n{}\n{}\n", path.string(), one.fact, what, text);
      ++failed;
    };
    outcomes.push_back(run_command(one));
    const Outcome &outcome = outcomes.back();
    std::string text = outcome.text;
    text.erase(text.find_last_not_of(" \n") + 1);
    if (!update && (outcome.failed != one.fails || text != one.expected))
      complain("expected:\n" + one.expected + "\n" + (outcome.failed ? "found an error:" : "found:"), text);
    if (outcome.failed || one.command.front() != "passes") continue;
    bool could_run = false;
    if (const std::string problem = compare_runs(one, outcome, could_run); !problem.empty())
      complain("before and after do not agree:", problem);
    ran += could_run;
  }
  fmt::print("{}: {} cases, {} also run before and after, {} failed\n", path.string(), cases.size(), ran, failed);
  if (update) std::ofstream(path) << write_cases(cases, outcomes);
  return failed;
}

} // namespace
} // namespace edgec::cases

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const char *update = std::getenv("EDGEC_UPDATE");
  std::vector<std::filesystem::path> files;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(argv[1]))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::ranges::sort(files);
  int failed = files.empty() ? 1 : 0;
  for (const auto &file : files) failed += edgec::cases::run_file(file, update && std::string_view(update) == "1");
  return failed == 0 ? 0 : 1;
}
