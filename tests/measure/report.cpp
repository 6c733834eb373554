#include "measure/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace edgec {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

Fidelity fidelity() {
  Fidelity measured;
  measured.samples = 200;
  measured.answers = 200;
  measured.agreeing = 191;
  measured.compared = true;
  measured.logits = {"pool10", {1000, 0.5, 0.25, 30, 200000}};
  measured.outputs = {{"prob", {10, 0, 0, 1, 200000}},
                      {"boxes", {100, 1, std::numeric_limits<double>::infinity(), 4, 8}}};
  measured.median_sqnr_db = 34.5;
  measured.reference_accuracy = Accuracy{200, 120, 160};
  measured.test_accuracy = Accuracy{200, 118, 161};
  return measured;
}

Report full_report() {
  Report report;
  report.provenance = {.version = "0.1",
                       .command = "compress",
                       .options = {{"int8", "true"}},
                       .seed = 3,
                       .isa = "avx2",
                       .input = "net.onnx",
                       .input_sha256 = "ab",
                       .output = "net.edgec.onnx",
                       .output_sha256 = "cd"};
  report.before = ModelFigures{4'955'097, 1'235'496, 1'235'400, 4'941'984, 349.2e6, 66};
  report.after = ModelFigures{1'290'000, 1'235'496, 617'748, 1'235'496, 349.2e6, 70};
  report.verified = MeasuredFidelity{fidelity(), "calib.csv, 200 held-out samples", "net.onnx", false};
  report.evaluated = report.verified;
  report.changes =
      AnswerChanges{200, 9, 5, 3, {{"cat", "dog", 9}}, {{"a.jpg", "cat", "dog", "cat", 1.5, 0.25, "AAAA"}}};
  report.latency_before = LatencyFigures{1, 50, 10, 11, 9};
  report.latency_after = LatencyFigures{1, 50, 4, 5, 3};
  report.peak_memory_bytes = 123'000'000;
  report.seconds = 2.5;
  report.passes = {
      {"quantize-int8", true, 1.5, {{"conv1", "its input has no range", true}, {"conv2", "retyped", false}}},
      {"fuse-pad", false, 0.01, {}}};
  report.layers = {
      {.name = "conv1",
       .op = "Conv",
       .parameters = 100,
       .zeros = 50,
       .distinct = 40,
       .bits = 32,
       .float_bytes = 400,
       .left_float = "excluded"},
      {.name = "conv2", .op = "Conv", .parameters = 100, .bits = 8, .macs = 1e6, .integer = true, .sqnr_db = 33}};
  report.layers[1].weights = {-1, 1, {3, 4}};
  report.layers_before = {{"conv1", "Conv", 100, 400}};
  report.nodes = {{.name = "conv1", .op = "Conv", .number = "float", .inputs = {}},
                  {.name = "conv2", .op = "Conv", .number = "int8", .inputs = {0}, .sqnr_db = 33}};
  report.activations = {
      {.name = "x", .node = "conv1", .low = 0, .high = 1, .minimum = 0, .maximum = 2, .clipped = 0.1}};
  report.search = Pareto{"net.onnx", {{1e-6, 1290000, 0.99, 33, true}}, 1.3e6, std::nullopt};
  report.budgets = {{"--min-agreement", 0.97, 0.955, false}};
  report.warnings = {"look here"};
  report.notes = {"raised to opset 13"};
  report.next = {"--range mse"};
  return report;
}

/// The part of JSON Schema that report.schema.json uses: adds a line for each place where `value` does not fit.
void validate(const Json &value, const Json &schema, const Json &root, const std::string &at, std::string &faults) {
  if (schema.contains("$ref"))
    return validate(value, root["$defs"][schema["$ref"].get<std::string>().substr(8)], root, at, faults);
  if (schema.contains("const") && value != schema["const"]) faults += at + ": not the constant\n";
  if (schema.contains("anyOf")) {
    std::string best; // the faults against the first choice, unless another fits
    for (const Json &choice : schema["anyOf"]) {
      std::string mine;
      validate(value, choice, root, at, mine);
      if (best.empty()) best = mine;
      if (mine.empty()) return;
    }
    faults += best;
  }
  if (schema.contains("type")) {
    const auto fits = [&](const Json &type) {
      return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
             (type == "null" && value.is_null()) || (type == "string" && value.is_string()) ||
             (type == "boolean" && value.is_boolean()) || (type == "number" && value.is_number()) ||
             (type == "integer" && value.is_number_integer());
    };
    const Json &type = schema["type"];
    if (type.is_array() ? std::ranges::none_of(type, fits) : !fits(type))
      faults += at + ": is " + value.type_name() + "\n";
  }
  if (value.is_object()) {
    for (const Json &key : schema.value("required", Json::array()))
      if (!value.contains(key.get<std::string>())) faults += at + ": lacks " + key.get<std::string>() + "\n";
    for (const auto &[key, member] : value.items()) {
      const std::string inner = at + "/" + key;
      if (schema.contains("properties") && schema["properties"].contains(key))
        validate(member, schema["properties"][key], root, inner, faults);
      else if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object())
        validate(member, schema["additionalProperties"], root, inner, faults);
      else if (schema.contains("properties"))
        faults += inner + ": unknown\n";
    }
  }
  if (value.is_array() && schema.contains("items"))
    for (std::size_t i = 0; i < value.size(); ++i)
      validate(value[i], schema["items"], root, at + "/" + std::to_string(i), faults);
}

std::string faults_of(const Json &value) {
  std::ifstream file(EDGEC_SOURCE_DIR "/src/measure/report.schema.json");
  const Json schema = Json::parse(file);
  std::string faults;
  validate(value, schema, schema, "", faults);
  return faults;
}

TEST(ReportJson, FollowsItsSchema) {
  EXPECT_EQ(faults_of(Json::parse(report_json(full_report()))), "");
  EXPECT_EQ(faults_of(Json::parse(report_json(Report{}))), "");
}

TEST(ReportJson, TheSchemaSeesFaults) {
  Json report = Json::parse(report_json(full_report()));
  report["extra"] = 1;
  report["after"]["bytes"] = "many";
  report["passes"][0].erase("name");
  EXPECT_THAT(faults_of(report), HasSubstr("/extra: unknown"));
  EXPECT_THAT(faults_of(report), HasSubstr("/after/bytes: is string"));
  EXPECT_THAT(faults_of(report), HasSubstr("/passes/0: lacks name"));
}

TEST(ReportJson, HasTheFigures) {
  const Json report = Json::parse(report_json(full_report()));
  EXPECT_EQ(report["before"]["bytes"], 4'955'097);
  EXPECT_EQ(report["after"]["bits_per_parameter"], 8.0);
  EXPECT_EQ(report["verified"]["agreement"], 0.955);
  EXPECT_NEAR(report["verified"]["sqnr_db"].get<double>(), 33.0103, 1e-4);
  EXPECT_TRUE(report["verified"]["outputs"][0]["equal"].get<bool>());
  EXPECT_TRUE(report["verified"]["outputs"][1]["max_error"].is_null());
  EXPECT_EQ(report["evaluated"]["top1"], 0.59);
  EXPECT_EQ(report["evaluated"]["reference_top1"], 0.6);
  EXPECT_EQ(report["layers"][0]["left_float"], "excluded");
  EXPECT_EQ(report["budgets"][0]["met"], false);
  EXPECT_EQ(report["provenance"]["options"]["int8"], "true");
}

TEST(ReportJson, NamesThatAreNoUtf8AreReplaced) {
  Report report;
  report.warnings = {"\xff"};
  EXPECT_EQ(Json::parse(report_json(report))["warnings"][0], "\xef\xbf\xbd");
}

TEST(ReportText, ComparesBeforeAndAfter) {
  const std::string text = report_text(full_report(), false);
  EXPECT_THAT(text, testing::ContainsRegex("size +4\\.96 MB +1\\.29 MB +26\\.0 %"));
  EXPECT_THAT(text, testing::ContainsRegex("non-zero +1,235,400 +617,748 +50\\.0 %"));
  EXPECT_THAT(text, testing::ContainsRegex("top-1 +60\\.00 % +59\\.00 % +-1\\.00 points"));
  EXPECT_THAT(text, testing::ContainsRegex("latency +10\\.00 ms +4\\.00 ms +2\\.50x"));
  EXPECT_THAT(text, HasSubstr("  conv1 (Conv): 400 B float, 0.0 % of the file: excluded\n"));
  EXPECT_THAT(text, HasSubstr("--min-agreement 0.97: MISSED with 0.955\n"));
  EXPECT_THAT(text, HasSubstr("    left conv1: its input has no range\n"));
  EXPECT_THAT(text, Not(HasSubstr("fuse-pad")));
}

TEST(ReportText, EndsWithSizeErrorAndWhatToTry) {
  EXPECT_TRUE(report_text(full_report(), false)
                  .ends_with("size      4.96 MB -> 1.29 MB, 3.84x smaller\n"
                             "error     agreement 95.50 %, SQNR of the logits 33.0 dB (median sample 34.5 dB), against "
                             "net.onnx on calib.csv, "
                             "200 held-out samples\n"
                             "          prob: equal\n"
                             "          boxes: 20.0 dB\n"
                             "try next  --range mse\n"));
}

TEST(ReportText, SaysPlainlyThatThereWasNoData) {
  Report report = full_report();
  report.verified->synthetic = true;
  EXPECT_THAT(report_text(report, false),
              HasSubstr("NOT VERIFIED ON REAL DATA: these figures rest on synthetic inputs\n"));
  report.verified.reset();
  EXPECT_THAT(report_text(report, false), HasSubstr("\nNOT VERIFIED: no data\n"));
  report.unverified = "operator com.acme:Magic is unknown";
  EXPECT_THAT(report_text(report, false), HasSubstr("\nNOT VERIFIED: operator com.acme:Magic is unknown\n"));
}

TEST(ReportText, VerboseShowsLayersAndEveryPass) {
  const std::string text = report_text(full_report(), true);
  EXPECT_THAT(text, testing::ContainsRegex("conv2 +Conv +100 +8\\.0 +0\\.0 % +0 +1\\.0 M +33\\.0 dB +int"));
  EXPECT_THAT(text, HasSubstr("fuse-pad"));
}

TEST(LayerFigures, SumUpTheParametersOfALayer) {
  GraphSizes sizes;
  LayerSizes layer{.label = "conv1", .op = "Conv", .macs = 9.0};
  layer.constants = {{.elements = 100, .bytes = 100, .zeros = 7, .distinct = 30, .parameter = true},
                     {.elements = 10, .bytes = 40, .zeros = 1, .distinct = 10, .parameter = true},
                     {.elements = 4, .bytes = 32}};
  sizes.layers = {layer};
  const auto figures = layer_figures(sizes);
  ASSERT_EQ(figures.size(), 1U);
  EXPECT_EQ(figures[0].parameters, 110U);
  EXPECT_EQ(figures[0].zeros, 8U);
  EXPECT_EQ(figures[0].distinct, 30U);
  EXPECT_DOUBLE_EQ(figures[0].bits, 140 * 8 / 110.0);
}

TEST(ReportText, NamesTheLargestFloatWeightsFirstAndOnlyThose) {
  Report report;
  report.after = ModelFigures{.bytes = 1000};
  for (std::uint64_t i = 1; i <= 7; ++i) {
    LayerFigures layer{.name = "layer" + std::to_string(i), .op = "Gather"};
    layer.float_bytes = 100 * i;
    layer.left_float = "why";
    report.layers.push_back(layer);
  }
  const std::string few = report_text(report, false);
  EXPECT_THAT(few, HasSubstr("left float\n  layer7 (Gather): 700 B float, 70.0 % of the file: why\n  layer6 "));
  EXPECT_THAT(few, HasSubstr("  and 2 smaller ones (-v lists them)\n"));
  EXPECT_THAT(few, Not(HasSubstr("layer2 ")));
  EXPECT_THAT(report_text(report, true), HasSubstr("  layer1 (Gather): 100 B float, 10.0 % of the file: why\n"));
}

TEST(ModelFigures, BitsOfAPackedFileAreThoseOfTheFile) {
  ModelFigures figures{.bytes = 600, .parameters = 800, .parameter_bytes = 800};
  EXPECT_EQ(figures.bits(), 8);
  figures.coded = true;
  EXPECT_EQ(figures.bits(), 6);
}

} // namespace
} // namespace edgec
