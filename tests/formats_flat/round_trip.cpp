#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "codec/hashed.h"
#include "formats/flat/flat.h"
#include "support/file.h"
#include "tests/formats_flat/models.h"

namespace edgec {
namespace {

using testing::rich_model;
using testing::same_model;
using testing::small_network;

std::vector<std::byte> written(const Model &model, const FlatWriteOptions &options = {}) {
  auto bytes = serialize_flat(model, options);
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  return bytes ? std::move(*bytes) : std::vector<std::byte>();
}

Model reread(const Model &model, const FlatWriteOptions &options = {}) {
  auto read = parse_flat(Storage::take(written(model, options)));
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return read ? std::move(*read) : Model();
}

TEST(FlatRoundTrip, GivesBackEveryPartOfAModel) {
  EXPECT_TRUE(same_model(rich_model(), reread(rich_model())));
  EXPECT_TRUE(same_model(rich_model(), reread(rich_model(), {.plain = true})));
  EXPECT_TRUE(same_model(small_network(), reread(small_network())));
  EXPECT_TRUE(same_model(Model(), reread(Model())));
}

TEST(FlatRoundTrip, ComparisonSeesEachDifference) {
  const Model model = rich_model();
  Model other = model;
  other.graph.set_name(other.graph.inputs()[0], "z");
  EXPECT_FALSE(same_model(model, other));
  other = model;
  other.graph.set_attribute(other.graph.nodes()[0], "float", 0.0F);
  EXPECT_FALSE(same_model(model, other));
  other = model;
  other.graph.set_input(other.graph.nodes()[0], 1, other.graph.inputs()[0]);
  EXPECT_FALSE(same_model(model, other));
}

/// y = x + weights, whose elements are copies of 100 numbers where the hash says; `hint`: what their metadata says.
Model hashed_network(const std::string &hint) {
  const HashedPlaces places{3, 100};
  std::vector<float> values(800);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.37F * static_cast<float>(hashed_slot(places, i)) - 11.0F;
  Model model;
  model.ir_version = 10;
  Graph &graph = model.graph;
  graph.opsets[""] = 21;
  const Type type = Type::tensor(DType::float32, Dims{20, 40});
  const ValueId x = graph.add_input("x", type), weights = graph.add_constant(Tensor::of({20, 40}, values), "w");
  graph.set_metadata(weights, {{std::string(hashed_key), hint}}, "");
  Node add{.op = "Add", .inputs = {x, weights}};
  graph.add_output(graph.add_op(std::move(add), type), "y");
  return model;
}

TEST(FlatRoundTrip, HashedTensorsTakeTheirValuesOnly) {
  const Model model = hashed_network("3 100"), wrong = hashed_network("4 100"), broken = hashed_network("a b");
  for (const Model *each : {&model, &wrong, &broken}) EXPECT_TRUE(same_model(*each, reread(*each)));
  std::string encodings;
  const FlatInfo info = describe_flat(Storage::copy(written(model))).value();
  for (const FlatSection &section : info.sections)
    for (const FlatSection &part : section.parts) encodings += part.encoding + "\n";
  EXPECT_NE(encodings.find("hashed"), std::string::npos) << encodings;
  EXPECT_LT(written(model).size() + 200, written(wrong).size());
}

TEST(FlatRoundTrip, KeepsCodesAndStoresScalesOnce) {
  const Model model = testing::coded_network();
  EXPECT_TRUE(same_model(model, reread(model)));
  EXPECT_TRUE(same_model(model, reread(model, {.plain = true})));
  const auto file = written(model);
  const auto read = parse_flat(Storage::copy(file), 2);
  ASSERT_TRUE(read);
  EXPECT_TRUE(same_model(model, *read));
  const auto info = describe_flat(Storage::copy(file));
  ASSERT_TRUE(info);
  std::map<std::string, std::size_t> raw;
  for (const FlatSection &part : info->sections.at(1).parts) raw[part.encoding] += part.raw_bytes;
  EXPECT_EQ(raw["rans"], 256U * 32 * 9);
  EXPECT_EQ(raw["codes+contexts"], 256U * 9 / 2);
  EXPECT_LE(raw["floats"], 4U * (256 + 256 + 4)); // biases, scales of the depthwise layer, one step: not two
}

TEST(FlatRoundTrip, WritesTheSameBytesForAnyThreadsAndAfterReading) {
  const auto bytes = written(small_network());
  EXPECT_EQ(bytes, written(small_network(), {.threads = 2}));
  EXPECT_EQ(bytes, written(reread(small_network())));
  EXPECT_EQ(written(rich_model()), written(reread(rich_model())));
}

TEST(FlatRoundTrip, DropsInnerNamesOnlyWhenAsked) {
  const Model small = reread(small_network(), {.inner_names = false});
  const Graph &graph = small.graph;
  EXPECT_EQ(graph.value(graph.inputs()[0]).name, "image");
  EXPECT_EQ(graph.value(graph.outputs()[0].value).name, "Conv_9_out");
  EXPECT_EQ(graph.value(graph.node(graph.nodes()[0]).outputs[0]).name, "");
  EXPECT_EQ(graph.node(graph.nodes()[0]).name, "");
  EXPECT_LT(written(small_network(), {.inner_names = false}).size(), written(small_network()).size());
}

TEST(FlatRoundTrip, StoresIdenticalTensorsOnce) {
  Model model = small_network();
  const std::size_t once = written(model, {.plain = true}).size();
  Graph &graph = model.graph;
  const Tensor weights = *graph.constant(graph.node(graph.nodes()[0]).inputs[1]);
  const std::vector<std::int8_t> copy(weights.as<std::int8_t>().begin(), weights.as<std::int8_t>().end());
  graph.add_constant(Tensor::of(weights.dims, copy), "again");
  graph.add_constant(Tensor::of({4608}, copy), "flattened");
  EXPECT_LT(written(model, {.plain = true}).size(), once + 1024);
  const Model read = reread(model);
  std::set<const std::byte *> places;
  for (const ValueId id : read.graph.values())
    if (const Tensor *data = read.graph.constant(id); data && data->dtype == DType::int8)
      places.insert(data->data.data());
  EXPECT_EQ(places.size(), 3U);
}

TEST(FlatRoundTrip, PacksWhatPacks) {
  const auto info = describe_flat(Storage::take(written(small_network())));
  ASSERT_TRUE(info);
  EXPECT_FALSE(info->plain);
  ASSERT_EQ(info->sections.size(), 2U);
  EXPECT_EQ(info->sections[0].kind, "compact graph");
  EXPECT_EQ(info->sections[0].encoding, "bytes");
  const FlatSection &tensors = info->sections[1];
  EXPECT_EQ(tensors.encoding, "parts");
  std::size_t shared = 0, codes = 0, raw = 0;
  for (const FlatSection &part : tensors.parts) {
    shared += part.encoding == "floats" ? 1U : 0U; // few values are no palette's alone
    codes += part.encoding == "contexts" ? 1U : 0U;
    raw += part.raw_bytes;
  }
  EXPECT_EQ(shared, 5U);
  EXPECT_EQ(codes, 1U);
  EXPECT_EQ(raw, tensors.raw_bytes);
  EXPECT_GE(raw, 3U * (4608 + 2304 * 4) + 2048 * 4);
  EXPECT_LT(tensors.stored_bytes, 3U * (4608 * 3 / 5 + 2304 / 2 + 80) + 2048 * 7 / 2); // half zero int8; 4 bits of 32
}

TEST(FlatRoundTrip, PlainProfileIsReadInPlace) {
  const Storage file = Storage::take(written(small_network(), {.plain = true}));
  const auto info = describe_flat(file);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->plain);
  EXPECT_GE(info->arena_bytes, 2U * 4096);
  for (const FlatSection &section : info->sections) EXPECT_EQ(section.encoding, "plain");
  const auto read = parse_flat(file);
  ASSERT_TRUE(read);
  for (const ValueId id : read->graph.values()) {
    const Tensor *data = read->graph.constant(id);
    if (data == nullptr) continue;
    EXPECT_GE(data->data.data(), file.data());
    EXPECT_LT(data->data.data(), file.data() + file.size());
  }
}

TEST(FlatRoundTrip, ThroughAFile) {
  const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / "round_trip.edgec";
  const Model model = small_network();
  ASSERT_TRUE(write_flat(model, path, {.force = true}));
  EXPECT_EQ(write_flat(model, path).error().code, Code::usage);
  const auto read = read_flat(path);
  ASSERT_TRUE(read);
  EXPECT_TRUE(same_model(model, *read));
  EXPECT_EQ(read->source_bytes, std::filesystem::file_size(path));
  EXPECT_EQ(read->source_sha256, sha256(map_file(path)->bytes()));
  std::filesystem::remove(path);
  EXPECT_THAT(read_flat(path).error().message, ::testing::HasSubstr("round_trip.edgec: cannot open"));
}

TEST(FlatRoundTrip, RefusesAGraphThatIsNotSorted) {
  Model model;
  const ValueId late = model.graph.add_value(Type::tensor(DType::float32));
  Node reader, giver;
  reader.op = giver.op = "Relu";
  reader.name = "reader";
  reader.inputs = {late};
  model.graph.add_output(model.graph.add_op(reader, Type::tensor(DType::float32)), "y");
  giver.inputs = {model.graph.add_input("x", Type::tensor(DType::float32))};
  giver.outputs = {late};
  model.graph.add_node(giver);
  EXPECT_EQ(serialize_flat(model).error().message, "node reader reads a value that nothing before it gives");
  ASSERT_TRUE(model.graph.sort());
  EXPECT_TRUE(same_model(model, reread(model)));
}

} // namespace
} // namespace edgec
