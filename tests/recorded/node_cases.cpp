// node_cases FOLDER [--only TEXT] [--reference] [--list] [--all]: runs ONNX's backend test cases, folders that hold
// model.onnx and test_data_set_N/{input,output}_N.pb, and prints how many pass, which are refused and why, and which
// are wrong. FOLDER/manifest.json, if there, tells names of inputs and tolerances; else they are ONNX's own (rtol 1e-3,
// atol 1e-7). Each case that runs is also written, read back and run again. Each has a process of its own, so that a
// crash is seen.
// --list prints a line a case. Exit status 1 if a case is wrong or crashes; with --all, if it is refused, too.
//
// node_cases FOLDER --untested SOURCES: prints the operators that edgec runs and that neither a case nor a source file
// below SOURCES names ("Name"). Exit status 1 if there are any.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "formats/onnx/functions.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/tensor_proto.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "tests/recorded/verdict.h"

namespace edgec::recorded {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<RuntimeValue>;

struct Case {
  std::string name;
  fs::path folder;
  Tolerance tolerance;
  std::vector<std::string> inputs; // names of input_0.pb, input_1.pb...; empty: in the order of the graph's
};

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
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_"))
      sets.push_back(entry.path());
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
      if (auto text = difference((*results)[i], *wanted, one.tolerance); !text.empty())
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
  const auto again =
      parse_onnx(Storage::copy({reinterpret_cast<const std::byte *>(written->data()), written->size()}), one.folder);
  if (!again) return {Verdict::Kind::wrong, "cannot be read back: " + again.error().message};
  verdict = run_model(one, again->graph, options);
  if (verdict.kind != Verdict::Kind::pass) return {Verdict::Kind::wrong, "written and read back: " + verdict.text};
  return verdict;
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
      one.tolerance.relative = found->second.at("rtol");
      one.tolerance.absolute = found->second.at("atol");
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

struct Choice {
  std::string only; ///< cases whose names hold it
  PlanOptions options;
  bool list = false, all = false;
};

int run_all(const fs::path &folder, const Choice &choice) {
  // ONNX's library builds its table of schemas when it is first asked: here, so that no child has to.
  (void)onnx_function_body({}, {{"", 1}}, {});
  std::map<std::string, std::vector<std::string>> refused;
  std::vector<std::string> bad;
  std::size_t passed = 0, total = 0;
  for (const Case &one : find_cases(folder)) {
    if (one.name.find(choice.only) == std::string::npos) continue;
    ++total;
    const Verdict verdict = run_apart([&] { return run_case(one, choice.options); });
    if (choice.list) fmt::print("{}\t{}\t{}\n", one.name, word(verdict.kind), verdict.text);
    if (verdict.kind == Verdict::Kind::pass)
      ++passed;
    else if (verdict.kind == Verdict::Kind::refused)
      refused[reason(one, verdict.text)].push_back(one.name);
    else
      bad.push_back(fmt::format("{}: {}: {}", one.name, word(verdict.kind), verdict.text));
  }
  std::size_t refusals = 0;
  for (const auto &[why, names] : refused) {
    fmt::print("refused: {}\n  {} of them: {}\n", why, names.size(), fmt::join(names, " "));
    refusals += names.size();
  }
  for (const std::string &line : bad) fmt::print("{}\n", line);
  fmt::print("{} cases: {} pass, {} refused, {} wrong\n", total, passed, refusals, bad.size());
  return bad.empty() && total > 0 && !(choice.all && refusals > 0) ? 0 : 1;
}

// ---- what is not tested

std::string text_of(const fs::path &folder) {
  std::string text;
  for (const auto &entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream file(entry.path());
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  return text;
}

int list_untested(const fs::path &folder, const fs::path &sources) {
  std::set<std::string> tested;
  std::ifstream manifest(folder / "manifest.json");
  for (const auto &entry : nlohmann::json::parse(manifest))
    for (const std::string name : entry.at("operators")) tested.insert(name);
  const std::string text = text_of(sources);
  int untested = 0;
  for (const OpDef *op : all_ops().all()) {
    const std::string name = fmt::format("{}{}{}", op->domain, op->domain.empty() ? "" : ":", op->name);
    if (tested.contains(name) || text.find(fmt::format("\"{}\"", op->name)) != std::string::npos) continue;
    fmt::print("{} is in no recorded case and in no test of {}\n", name, sources.string());
    ++untested;
  }
  fmt::print("{} operators, {} untested\n", all_ops().all().size(), untested);
  return untested > 0 ? 1 : 0;
}

} // namespace
} // namespace edgec::recorded

int main(int argc, char **argv) {
  std::string folder, sources;
  edgec::recorded::Choice choice;
  choice.options.isa = edgec::detect_isa();
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--only" && i + 1 < argc)
      choice.only = argv[++i];
    else if (word == "--untested" && i + 1 < argc)
      sources = argv[++i];
    else if (word == "--reference")
      choice.options.reference = true;
    else if (word == "--list")
      choice.list = true;
    else if (word == "--all")
      choice.all = true;
    else
      folder = word;
  }
  if (folder.empty()) {
    fmt::print("usage: node_cases FOLDER [--only TEXT] [--reference] [--list] [--all]\n"
               "       node_cases FOLDER --untested SOURCES\n");
    return 2;
  }
  edgec::install_function_bodies(edgec::onnx_function_body);
  return sources.empty() ? edgec::recorded::run_all(folder, choice) : edgec::recorded::list_untested(folder, sources);
}
