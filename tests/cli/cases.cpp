// Runs tests/cli/*.txt: command lines of the built program with what they must print. A file holds cases:
//
//   ==== what the case pins
//   $ edgec inspect nothing.onnx
//   ! edgec: error: nothing.onnx: cannot open: No such file or directory
//   ? 3
//
// A line of a case is a command for /bin/sh ("$ "), a line it must print on stdout ("| ") or stderr ("! "), its exit
// status ("? ", 0 where absent) or a comment ("# "). Each case runs in a new folder of its own; $MODELS is the
// project's models/, $FILES tests/cli/files. In expected lines <*> stands for any text, a line <...> for any number of
// lines. The folder's own path reads $PWD, that of models/ reads $MODELS. EDGEC_UPDATE=1 rewrites the expectations that
// do not hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

struct Step {
  std::string command;
  Lines out, err;
  int status = 0;
};

struct Case {
  std::string title;
  Lines comments;
  std::vector<Step> steps;
};

Lines split_lines(const std::string &text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string read_text(const fs::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<Case> read_cases(const fs::path &path) {
  std::vector<Case> cases;
  for (const std::string &line : split_lines(read_text(path))) {
    const std::string rest = line.size() > 2 ? line.substr(2) : std::string();
    if (line.starts_with("==== ")) {
      cases.push_back({line.substr(5), {}, {}});
      continue;
    }
    if (cases.empty() || line.empty()) continue;
    auto &steps = cases.back().steps;
    if (line[0] == '#') cases.back().comments.push_back(line);
    if (line[0] == '$') steps.push_back({rest, {}, {}, 0});
    if (steps.empty()) continue;
    if (line[0] == '|') steps.back().out.push_back(rest);
    if (line[0] == '!') steps.back().err.push_back(rest);
    if (line[0] == '?') steps.back().status = std::stoi(rest);
  }
  return cases;
}

void write_cases(const fs::path &path, const std::vector<Case> &cases) {
  std::ofstream stream(path, std::ios::binary);
  for (const Case &one : cases) {
    stream << (&one == &cases.front() ? "" : "\n") << "==== " << one.title << "\n";
    for (const std::string &comment : one.comments) stream << comment << "\n";
    for (const Step &step : one.steps) {
      stream << "$ " << step.command << "\n";
      for (const std::string &line : step.out) stream << (line.empty() ? "|" : "| ") << line << "\n";
      for (const std::string &line : step.err) stream << (line.empty() ? "!" : "! ") << line << "\n";
      if (step.status != 0) stream << "? " << step.status << "\n";
    }
  }
}

/// Whether `text` fits `pattern`, in which <*> stands for anything.
bool line_fits(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find("<*>");
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  text.remove_prefix(star);
  pattern.remove_prefix(star + 3);
  for (std::size_t skip = 0; skip <= text.size(); ++skip) {
    if (line_fits(pattern, text.substr(skip))) return true;
  }
  return false;
}

bool lines_fit(std::span<const std::string> patterns, std::span<const std::string> lines) {
  if (patterns.empty()) return lines.empty();
  if (patterns.front() == "<...>") {
    for (std::size_t skip = 0; skip <= lines.size(); ++skip) {
      if (lines_fit(patterns.subspan(1), lines.subspan(skip))) return true;
    }
    return false;
  }
  return !lines.empty() && line_fits(patterns.front(), lines.front()) &&
         lines_fit(patterns.subspan(1), lines.subspan(1));
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Runs one command in `folder`; its output with the paths of this machine replaced.
Step run_step(const std::string &command, const fs::path &folder, const fs::path &scratch) {
  const std::string models = std::string(EDGEC_SOURCE_DIR) + "/models";
  const std::string files = std::string(EDGEC_SOURCE_DIR) + "/tests/cli/files";
  const std::string program_folder = fs::path(EDGEC_PROGRAM).parent_path().string();
  std::ofstream(scratch / "command.sh") << "cd '" << folder.string() << "' || exit 99\nexport MODELS='" << models
                                        << "' FILES='" << files << "' PATH='" << program_folder
                                        << "':\"$PATH\"\nunset NO_COLOR COLUMNS\n"
                                        << command << "\n";
  const std::string call = "/bin/sh '" + (scratch / "command.sh").string() + "' > '" + (scratch / "out").string() +
                           "' 2> '" + (scratch / "err").string() + "' < /dev/null";
  const int status = std::system(call.c_str());
  const auto clean = [&](const char *name) {
    const std::string text = replaced(replaced(read_text(scratch / name), models, "$MODELS"), files, "$FILES");
    return split_lines(replaced(text, folder.string(), "$PWD"));
  };
  return {command, clean("out"), clean("err"), WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)};
}

bool updating() {
  const char *update = std::getenv("EDGEC_UPDATE");
  return update != nullptr && std::string_view(update) == "1";
}

/// Runs the steps of one case; where updating, puts what came into the expectations that do not hold.
bool run_case(Case &one) {
  std::string name = (fs::temp_directory_path() / "edgec-cli-XXXXXX").string();
  const fs::path scratch = ::mkdtemp(name.data());
  fs::create_directory(scratch / "case");
  bool changed = false;
  for (Step &step : one.steps) {
    const Step found = run_step(step.command, scratch / "case", scratch);
    const bool out = lines_fit(step.out, found.out);
    const bool err = lines_fit(step.err, found.err);
    if (out && err && step.status == found.status) continue;
    if (updating()) {
      if (!out) step.out = found.out;
      if (!err) step.err = found.err;
      step.status = found.status;
      changed = true;
      continue;
    }
    SCOPED_TRACE("$ " + step.command);
    EXPECT_EQ(step.status, found.status) << "the exit status";
    EXPECT_TRUE(out) << "stdout was\n"
                     << testing::PrintToString(found.out) << "\nexpected\n"
                     << testing::PrintToString(step.out);
    EXPECT_TRUE(err) << "stderr was\n"
                     << testing::PrintToString(found.err) << "\nexpected\n"
                     << testing::PrintToString(step.err);
  }
  fs::remove_all(scratch);
  return changed;
}

class CaseFile : public testing::TestWithParam<std::string> {};

TEST_P(CaseFile, PrintsWhatItSays) {
  const fs::path path = GetParam();
  std::vector<Case> cases = read_cases(path);
  ASSERT_FALSE(cases.empty());
  bool changed = false;
  for (Case &one : cases) {
    SCOPED_TRACE(path.filename().string() + ": " + one.title);
    ASSERT_FALSE(one.steps.empty());
    changed = run_case(one) || changed;
  }
  if (changed) write_cases(path, cases);
}

std::vector<std::string> case_files() {
  std::vector<std::string> paths;
  for (const auto &entry : fs::directory_iterator(std::string(EDGEC_SOURCE_DIR) + "/tests/cli")) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Cli, CaseFile, testing::ValuesIn(case_files()),
                         [](const auto &file) { return fs::path(file.param).stem().string(); });

} // namespace
