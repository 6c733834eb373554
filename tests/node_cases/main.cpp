// node_cases FOLDER [--only TEXT] [--reference] [--list]: runs ONNX's backend test cases, folders that hold model.onnx and
// test_data_set_N/{input,output}_N.pb, and prints how many pass, which are refused and why, and which are wrong.
// FOLDER/manifest.json, if there, tells names of inputs and tolerances; else they are ONNX's own (rtol 1e-3, atol 1e-7).
// Each case that runs is also written, read back and run again. Each has a process of its own, so that a crash is seen.
// --list prints a line a case. Exit status 1 if a case is wrong or crashes.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "formats/onnx/onnx.h"
#include "formats/onnx/tensor_proto.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<RuntimeValue>;

constexpr unsigned time_limit = 120; // seconds a case

struct Case {
  std::string name;
  fs::path folder;
  double rtol = 1e-3, atol = 1e-7;
  std::vector<std::string> inputs; // names of input_0.pb, input_1.pb...; empty: in the order of the graph's
};

struct Verdict {
  enum class Kind { pass, refused, wrong, crash } kind = Kind::crash;
  std::string text;
};

Verdict refused_or_wrong(const Error &error) {
  return {error.code == Code::unsupported ? Verdict::Kind::refused : Verdict::Kind::wrong, error.message};
}

// ---- comparing

bool agree(double found, double wanted, const Case &one) {
  if (found == wanted || (std::isnan(found) && std::isnan(wanted))) return true;
  return std::abs(found - wanted) <= one.atol + one.rtol * std::abs(wanted);
}

template <class T>
std::vector<double> parts_of(const Tensor &tensor) {
  std::vector<double> parts(tensor.data.size() / sizeof(T));
  const auto *numbers = reinterpret_cast<const T *>(tensor.data.data());
  std::copy(numbers, numbers + parts.size(), parts.begin());
  return parts;
}

std::vector<double> numbers(const Tensor &tensor) {
  if (tensor.dtype == DType::complex64) return parts_of<float>(tensor);
  if (tensor.dtype == DType::complex128) return parts_of<double>(tensor);
  return to_doubles(tensor);
}

/// What differs; empty: nothing.
std::string difference(const Tensor &found, const Tensor &wanted, const Case &one) {
  if (found.dtype != wanted.dtype || found.dims != wanted.dims)
    return fmt::format("is {}, {} was expected", to_string(Type::of(found)), to_string(Type::of(wanted)));
  if (found.dtype == DType::string) return *found.strings == *wanted.strings ? "" : "other strings were expected";
  const auto a = numbers(found), b = numbers(wanted);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!agree(a[i], b[i], one)) return fmt::format("element {} of {} is {}, {} was expected", i, a.size(), a[i], b[i]);
  return {};
}

std::string difference(const RuntimeValue &found, const RuntimeValue &wanted, const Case &one) {
  if (found.tensor.has_value() != wanted.tensor.has_value() || (found.sequence == nullptr) != (wanted.sequence == nullptr))
    return "a tensor, a sequence and nothing are not the same";
  if (wanted.tensor) return difference(*found.tensor, *wanted.tensor, one);
  if (!wanted.sequence) return {};
  if (found.sequence->size() != wanted.sequence->size()) return "the sequence has another length";
  for (std::size_t i = 0; i < found.sequence->size(); ++i)
    if (auto text = difference((*found.sequence)[i], (*wanted.sequence)[i], one); !text.empty()) return text;
  return {};
}

// ---- running

Result<Values> load_inputs(const Case &one, const Graph &graph, const fs::path &data) {
  Values feeds;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    const Value &value = graph.value(graph.inputs()[i]);
    const auto named = std::ranges::find(one.inputs, value.name);
    const auto index = one.inputs.empty() ? static_cast<std::ptrdiff_t>(i) : named - one.inputs.begin();
    EDGEC_ASSIGN(RuntimeValue feed, read_value_proto(data / fmt::format("input_{}.pb", index), value.type));
    feeds.push_back(std::move(feed));
  }
  return feeds;
}

std::vector<fs::path> data_sets(const Case &one) {
  std::vector<fs::path> sets;
  for (const auto &entry : fs::directory_iterator(one.folder))
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_")) sets.push_back(entry.path());
  std::ranges::sort(sets);
  return sets;
}

Verdict run_model(const Case &one, const Graph &graph, const PlanOptions &options) {
  Runner runner(graph, all_ops(), options);
  for (const fs::path &data : data_sets(one)) {
    const auto feeds = load_inputs(one, graph, data);
    if (!feeds) return refused_or_wrong(feeds.error());
    const auto results = runner.run(*feeds);
    if (!results) return refused_or_wrong(results.error());
    for (std::size_t i = 0; i < results->size(); ++i) {
      const fs::path path = data / fmt::format("output_{}.pb", i);
      if (!fs::exists(path)) continue;
      const auto wanted = read_value_proto(path, graph.value(graph.outputs()[i].value).type);
      if (!wanted) return refused_or_wrong(wanted.error());
      if (auto text = difference((*results)[i], *wanted, one); !text.empty())
        return {Verdict::Kind::wrong, fmt::format("{}: {}", graph.outputs()[i].name, text)};
    }
  }
  return {Verdict::Kind::pass, {}};
}

Verdict run_case(const Case &one, const PlanOptions &options) {
  const auto model = read_onnx(one.folder / "model.onnx");
  if (!model) return refused_or_wrong(model.error());
  Verdict verdict = run_model(one, model->graph, options);
  if (verdict.kind != Verdict::Kind::pass) return verdict;
  auto written = serialize_onnx(*model, {.ops = &all_ops()});
  if (!written) return {Verdict::Kind::wrong, "cannot be written: " + written.error().message};
  const auto again = parse_onnx(Storage::copy({reinterpret_cast<const std::byte *>(written->data()), written->size()}), one.folder);
  if (!again) return {Verdict::Kind::wrong, "cannot be read back: " + again.error().message};
  verdict = run_model(one, again->graph, options);
  if (verdict.kind != Verdict::Kind::pass) return {Verdict::Kind::wrong, "written and read back: " + verdict.text};
  return verdict;
}

/// run_case in a child process.
Verdict run_apart(const Case &one, const PlanOptions &options) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    alarm(time_limit);
    Verdict verdict;
    try {
      verdict = run_case(one, options);
    } catch (const std::exception &error) {
      verdict.text = error.what();
    }
    const std::string message = static_cast<char>('0' + static_cast<int>(verdict.kind)) + verdict.text;
    std::size_t sent = 0;
    while (sent < message.size()) {
      const auto count = write(ends[1], message.data() + sent, message.size() - sent);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string message;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;) message.append(buffer, static_cast<std::size_t>(count));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (message.empty()) return {Verdict::Kind::crash, fmt::format("signal {}", WIFSIGNALED(status) ? WTERMSIG(status) : 0)};
  return {static_cast<Verdict::Kind>(message[0] - '0'), message.substr(1)};
}

// ---- listing

std::vector<Case> find_cases(const fs::path &folder) {
  std::map<std::string, nlohmann::json> known;
  if (std::ifstream file(folder / "manifest.json"); file)
    for (auto &entry : nlohmann::json::parse(file)) known[entry.at("folder")] = entry;
  std::vector<Case> cases;
  for (const auto &entry : fs::directory_iterator(folder)) {
    if (!fs::exists(entry.path() / "model.onnx")) continue;
    Case one{entry.path().filename(), entry.path()};
    if (const auto found = known.find(one.name); found != known.end()) {
      one.rtol = found->second.at("rtol");
      one.atol = found->second.at("atol");
      for (const auto &input : found->second.at("inputs")) one.inputs.push_back(input.at(0));
    }
    cases.push_back(std::move(one));
  }
  std::ranges::sort(cases, {}, &Case::name);
  return cases;
}

/// A refusal without what is only of this case.
std::string reason(const Case &one, std::string text) {
  if (text.starts_with(one.folder.string())) text = text.substr(std::min(text.size(), text.find(": ") + 2));
  text = std::regex_replace(text, std::regex(" \\(node [^)]*\\)"), "");
  return std::regex_replace(text, std::regex("node [^ ]* \\(([^)]*)\\)"), "$1");
}

int run_all(const fs::path &folder, const std::string &only, const PlanOptions &options, bool list) {
  std::map<std::string, std::vector<std::string>> refused;
  std::vector<std::string> bad;
  std::size_t passed = 0, total = 0;
  for (const Case &one : find_cases(folder)) {
    if (one.name.find(only) == std::string::npos) continue;
    ++total;
    const Verdict verdict = run_apart(one, options);
    static constexpr const char *words[] = {"pass", "refused", "wrong", "crash"};
    if (list) fmt::print("{}\t{}\t{}\n", one.name, words[static_cast<int>(verdict.kind)], verdict.text);
    if (verdict.kind == Verdict::Kind::pass) ++passed;
    else if (verdict.kind == Verdict::Kind::refused) refused[reason(one, verdict.text)].push_back(one.name);
    else bad.push_back(fmt::format("{}: {}: {}", one.name, words[static_cast<int>(verdict.kind)], verdict.text));
  }
  std::size_t refusals = 0;
  for (const auto &[why, names] : refused) {
    fmt::print("refused: {}\n  {} of them: {}\n", why, names.size(), fmt::join(names, " "));
    refusals += names.size();
  }
  for (const std::string &line : bad) fmt::print("{}\n", line);
  fmt::print("{} cases: {} pass, {} refused, {} wrong\n", total, passed, refusals, bad.size());
  return bad.empty() && total > 0 ? 0 : 1;
}

} // namespace
} // namespace edgec

int main(int argc, char **argv) {
  std::string folder, only;
  edgec::PlanOptions options;
  options.isa = edgec::Isa::vnni;
  bool list = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--only" && i + 1 < argc) only = argv[++i];
    else if (word == "--reference") options.reference = true;
    else if (word == "--list") list = true;
    else folder = word;
  }
  if (folder.empty()) {
    fmt::print("usage: node_cases FOLDER [--only TEXT] [--reference] [--list]\n");
    return 2;
  }
  return edgec::run_all(folder, only, options, list);
}
