#include "passes/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "ir/text.h"
#include "ops/registry.h"

namespace edgec {
namespace {

using testing::HasSubstr;

Graph parse(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  return graph ? std::move(*graph) : Graph();
}

constexpr std::string_view chain = "g (float[2] x) => (float[2] y) { [a] a = Neg(x)  [b] y = Abs(a) }";

/// Renames the first node of one type; one pass of a row that enable each other.
template <const char *from, const char *to>
Result<bool> rename(Graph &graph, const PassContext &context) {
  for (const NodeId id : graph.nodes())
    if (graph.node(id).is(from)) {
      context.say("rename", graph.node(id).label(), std::string("now ") + to);
      graph.set_op(id, to);
      return true;
    }
  return false;
}
constexpr char neg[] = "Neg", abs_[] = "Abs", sin_[] = "Sin", cos_[] = "Cos";

const PassDef neg_to_sin{"neg-to-sin", "", rename<neg, sin_>};
const PassDef sin_to_cos{"sin-to-cos", "", rename<sin_, cos_>};
const PassDef cos_to_abs{"cos-to-abs", "", rename<cos_, abs_>};
const PassDef abs_to_neg{"abs-to-neg", "", rename<abs_, neg>};

Result<PipelineReport> run(Graph &graph, std::vector<const PassDef *> passes,
                           PipelineOptions options = {.check_honesty = true}) {
  return run_pipeline(graph, passes, PassContext{.ops = all_ops()}, options);
}

std::string error_of(PassDef pass) {
  Graph graph = parse(chain);
  const std::string before = to_text(graph);
  const auto report = run(graph, {&pass});
  EXPECT_EQ(to_text(graph), before);
  return report ? "none" : report.error().message;
}

TEST(Pipeline, ExactPassesThatEnableEachOtherRunUntilNothingChanges) {
  Graph graph = parse(chain);
  const auto report = run(graph, {&cos_to_abs, &sin_to_cos, &neg_to_sin});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(to_text(graph), HasSubstr("a = Abs(x)"));
  EXPECT_EQ(report->passes[0].runs, 4U);
  EXPECT_TRUE(report->passes[2].changed);
  EXPECT_TRUE(report->converged);
}

TEST(Pipeline, RepetitionIsBounded) {
  Graph graph = parse(chain);
  const auto report =
      run(graph, {&neg_to_sin, &sin_to_cos, &cos_to_abs, &abs_to_neg}, {.check_honesty = false, .max_rounds = 3});
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->converged);
  EXPECT_EQ(report->passes[0].runs, 3U);
}

TEST(Pipeline, NotesAreKeptOnceAndHandedOn) {
  Graph graph = parse("g (float[2] x) => (float[2] y) { [n] a = Neg(x)  [n] y = Neg(a) }");
  std::vector<std::string> heard;
  PassContext context{.ops = all_ops()};
  context.note = [&](const PassNote &note) { heard.push_back(note.text); };
  const PassDef *list[] = {&neg_to_sin};
  const auto report = run_pipeline(graph, list, context);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->passes[0].notes.size(), 1U);
  EXPECT_EQ(heard, std::vector<std::string>{"now Sin"});
}

TEST(Pipeline, OptionsSkipStopAndPrint) {
  Graph graph = parse(chain);
  std::string printed;
  PipelineOptions options{.stop_after = "sin-to-cos", .skip = {"neg-to-sin"}, .print_after = {"sin-to-cos"}};
  options.print = [&](std::string_view pass, const std::string &text) { printed += std::string(pass) + ": " + text; };
  const auto report = run(graph, {&neg_to_sin, &sin_to_cos, &cos_to_abs}, options);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->passes[0].runs, 0U);
  EXPECT_EQ(report->passes[1].runs, 1U);
  EXPECT_EQ(report->passes[2].runs, 0U);
  EXPECT_EQ(printed, "sin-to-cos: " + to_text(parse(chain)));
}

TEST(Pipeline, OptionsMustNameAPassOfTheRun) {
  Graph graph = parse(chain);
  const auto report = run(graph, {&neg_to_sin}, {.skip = {"prune"}});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::usage);
  EXPECT_EQ(report.error().message, "no pass of this run is named `prune`");
}

TEST(Pipeline, CheckEachSeesBothGraphsAndTakesBackWhatIsWrong) {
  Graph graph = parse(chain);
  const std::string before_all = to_text(graph);
  PipelineOptions options;
  options.check_each = [](const Graph &before, const Graph &after) -> Result<std::optional<std::string>> {
    EXPECT_THAT(to_text(before), HasSubstr("Neg"));
    EXPECT_THAT(to_text(after), HasSubstr("Sin"));
    return std::optional<std::string>("output y moved");
  };
  const auto report = run(graph, {&neg_to_sin}, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(to_text(graph), before_all);
  EXPECT_FALSE(report->passes[0].changed);
  EXPECT_EQ(report->passes[0].runs, 1U);
  EXPECT_EQ(report->passes[0].rejected, "output y moved");
  ASSERT_EQ(report->passes[0].notes.size(), 1U);
  EXPECT_EQ(report->passes[0].notes[0].text, "left out: output y moved");
}

TEST(Pipeline, AnErrorOfCheckEachEndsTheRun) {
  Graph graph = parse(chain);
  PipelineOptions options;
  options.check_each = [](const Graph &, const Graph &) -> Result<std::optional<std::string>> {
    return bad_input("cannot be run");
  };
  const auto report = run(graph, {&neg_to_sin}, options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "pass neg-to-sin: cannot be run");
}

TEST(Pipeline, ABrokenGraphNamesThePassAndShowsTheGraphAsItWas) {
  const std::string error = error_of({"breaker", "", [](Graph &graph, const PassContext &) -> Result<bool> {
                                        graph.set_input(graph.nodes().back(), 0, graph.add_value(Type{}, "loose"));
                                        return true;
                                      }});
  EXPECT_THAT(
      error,
      testing::StartsWith(
          "pass breaker: value 3 `loose`: it is read, but nothing computes it; the graph before it:\ng (float[2] x)"));
}

TEST(Pipeline, APassMustTellTheTruth) {
  EXPECT_THAT(error_of({"liar", "", [](Graph &, const PassContext &) -> Result<bool> { return true; }}),
              HasSubstr("it says that it changed the graph, and did not"));
  EXPECT_THAT(error_of({"sneak", "",
                        [](Graph &graph, const PassContext &) -> Result<bool> {
                          graph.set_op(graph.nodes().front(), "Cos");
                          return false;
                        }}),
              HasSubstr("it says that it left the graph as it was, and did not"));
}

TEST(Pipeline, InputsAndOutputsKeepTheirTypes) {
  EXPECT_THAT(error_of({"retype", "",
                        [](Graph &graph, const PassContext &) -> Result<bool> {
                          graph.set_type(graph.outputs().front().value, Type::tensor(DType::float32, Dims{3}));
                          return true;
                        }}),
              HasSubstr("graph output 0 was float[2] y, is float[3] y"));
}

TEST(Passes, EveryFileIsAPassOfItsName) {
  std::multiset<std::string> names, files;
  for (const PassDef *pass : all_passes()) names.emplace(pass->name);
  for (const auto &file : std::filesystem::directory_iterator(EDGEC_SOURCE_DIR "/src/passes/exact")) {
    std::string stem = file.path().stem().string();
    std::ranges::replace(stem, '_', '-');
    if (file.path().extension() == ".cpp" && !stem.starts_with('-')) files.insert(stem);
  }
  EXPECT_EQ(names, files);
}

TEST(Passes, TheExactPipelineNamesEachPassOnce) {
  std::set<std::string_view> names;
  for (const PassDef *pass : exact_pipeline()) EXPECT_TRUE(names.insert(pass->name).second) << pass->name;
}

} // namespace
} // namespace edgec
