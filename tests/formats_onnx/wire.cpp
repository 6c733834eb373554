// Big tensors never enter a message: lifted out of what is read, lowered into what is written.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx/wire.h"
#include "support/file.h"
#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

constexpr std::int64_t many = 20000; // floats: more than proto::big_bytes

std::string noise(std::int64_t count, char seed) {
  std::string bytes(static_cast<std::size_t>(count) * 4, seed);
  for (std::size_t i = 0; i < bytes.size(); i += 4) bytes[i] = static_cast<char>(i / 4);
  return bytes;
}

onnx::TensorProto tensor(const std::string &name, std::int64_t count, char seed) {
  onnx::TensorProto proto;
  proto.set_name(name);
  proto.set_data_type(onnx::TensorProto::FLOAT);
  proto.add_dims(count);
  proto.set_raw_data(noise(count, seed));
  return proto;
}

/// y = x + w + c, w an initializer and c a Constant node, both big; and a small initializer.
onnx::ModelProto big_model() {
  onnx::ModelProto proto;
  proto.set_ir_version(8);
  proto.add_opset_import()->set_version(13);
  auto &graph = *proto.mutable_graph();
  graph.set_name("g");
  test::add_info(graph.mutable_input(), "x", onnx::TensorProto::FLOAT, {many});
  test::add_info(graph.mutable_output(), "y", onnx::TensorProto::FLOAT, {many});
  auto &constant = test::add_node(graph, "Constant", {}, {"c"});
  *test::add_attribute(constant, "value", onnx::AttributeProto::TENSOR).mutable_t() = tensor("", many, 1);
  test::add_node(graph, "Sum", {"x", "w", "c", "one"}, {"y"});
  *graph.add_initializer() = tensor("w", many, 2);
  *graph.add_initializer() = tensor("one", 1, 0);
  return proto;
}

ByteView view(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Wire, LiftedTensorsSayWhereTheyLie) {
  const onnx::ModelProto proto = big_model();
  const std::string bytes = proto.SerializeAsString();
  const auto skeleton = proto::lift_tensors(view(bytes));
  ASSERT_TRUE(skeleton);
  EXPECT_LT(skeleton->size(), 1000U);
  onnx::ModelProto lifted;
  ASSERT_TRUE(lifted.ParseFromString(*skeleton));
  const auto place = [](const onnx::TensorProto &t) { return std::stoul(t.external_data(1).value()); };
  const auto &graph = lifted.graph();
  EXPECT_EQ(bytes.substr(place(graph.initializer(0)), many * 4), noise(many, 2));
  EXPECT_EQ(bytes.substr(place(graph.node(0).attribute(0).t()), many * 4), noise(many, 1));
  EXPECT_TRUE(graph.initializer(1).has_raw_data()); // small: as it was
}

TEST(Wire, LoweredTensorsGiveProtobufsOwnBytes) {
  const std::string bytes = big_model().SerializeAsString();
  onnx::ModelProto skeleton;
  ASSERT_TRUE(skeleton.ParseFromString(*proto::lift_tensors(view(bytes))));
  skeleton.mutable_graph()->mutable_initializer(0)->mutable_external_data(1)->set_value("0");
  skeleton.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_t()->mutable_external_data(1)->set_value(
      "1");
  const std::string first = noise(many, 2), second = noise(many, 1);
  EXPECT_EQ(proto::lower_tensors(view(skeleton.SerializeAsString()), {view(first), view(second)}).text(), bytes);
}

TEST(Wire, ReadAndWrittenAgainTheFileIsTheSame) {
  const std::string bytes = big_model().SerializeAsString();
  const auto model = parse_onnx(test::storage_of(bytes), "");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(to_floats(*test::constant_of(model->graph)).size(), static_cast<std::size_t>(many));
  const auto written = serialize_onnx(*model, {});
  ASSERT_TRUE(written) << written.error().message;
  onnx::ModelProto again;
  ASSERT_TRUE(again.ParseFromString(*written));
  EXPECT_EQ(again.graph().initializer(0).raw_data(), noise(many, 2));
  EXPECT_EQ(again.graph().node(0).attribute(0).t().raw_data(), noise(many, 1));
  EXPECT_EQ(again.SerializeAsString(), *written); // canonical
}

TEST(Wire, WeightsStayInTheMappedFileOrAreSharedWithKnownOnes) {
  const fs::path file = fs::path(testing::TempDir()) / "big.onnx";
  onnx::ModelProto proto = big_model();
  for (int pad = 0; pad < 4; ++pad) { // one of four places is aligned
    proto.set_producer_name(std::string(static_cast<std::size_t>(pad) + 1, 'p'));
    std::ofstream(file, std::ios::binary) << proto.SerializeAsString();
    const auto model = read_onnx(file);
    ASSERT_TRUE(model) << model.error().message;
    const Tensor &w = *test::constant_of(model->graph);
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(w.data.data()), w.data.size()), noise(many, 2));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(w.data.data()) % 4, 0U);
    const std::vector<Storage> known{w.data};
    const auto again = read_onnx(file, {.known = &known});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(test::constant_of(again->graph)->data.data(), w.data.data());
  }
  fs::remove(file);
}

TEST(Wire, DamageIsFoundInBigFilesToo) {
  const std::string bytes = big_model().SerializeAsString();
  for (const std::size_t size : {bytes.size() - 1, bytes.size() / 2, std::size_t{100000}})
    EXPECT_THAT(message_of(parse_onnx(test::storage_of(std::string_view(bytes).substr(0, size)), "")),
                HasSubstr("it is truncated"));
  onnx::ModelProto twice = big_model();
  for (int i = 0; i < 40000; ++i) twice.mutable_graph()->mutable_initializer(0)->add_float_data(1);
  EXPECT_THAT(message_of(test::parse(twice)), HasSubstr("holds its data twice"));
  onnx::ModelProto short_data = big_model();
  short_data.mutable_graph()->mutable_initializer(0)->set_dims(0, many + 1);
  EXPECT_THAT(message_of(test::parse(short_data)),
              HasSubstr("tensor \"w\" of float[20001] needs 80004 bytes of data and has 80000"));
}

TEST(Wire, AFileThatClaimsToBeLiftedGetsNothingButItsOwnBytes) {
  onnx::ModelProto proto = big_model();
  auto &w = *proto.mutable_graph()->mutable_initializer(1);
  w.clear_raw_data();
  w.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto add = [&](const char *key, const std::string &value) {
    auto &entry = *w.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  add("location", std::string(proto::own_file));
  add("offset", "10000000");
  EXPECT_THAT(message_of(test::parse(proto)), HasSubstr("4 bytes at offset 10000000 are asked for"));
}

TEST(Wire, GroupsStandInNobodysWay) {
  onnx::ModelProto proto = big_model();
  auto &group = *proto.GetReflection()->MutableUnknownFields(&proto)->AddGroup(1999);
  group.AddGroup(1)->AddLengthDelimited(2, "inside");
  group.AddVarint(3, 300);
  auto &graph = *proto.mutable_graph();
  graph.GetReflection()->MutableUnknownFields(&graph)->AddGroup(1999)->AddFixed64(1, 2);
  const std::string bytes = proto.SerializeAsString();
  EXPECT_TRUE(proto::lift_tensors(view(bytes)));
  EXPECT_FALSE(proto::lift_tensors(view(bytes).first(bytes.size() - 1))); // the end of the last group is missing
  onnx::ModelProto again;
  ASSERT_TRUE(again.ParseFromString(*serialize_onnx(*test::parse(proto), {})));
  EXPECT_TRUE(again.graph().initializer(0).raw_data() == graph.initializer(0).raw_data());
  for (const auto &[made, given] :
       {std::pair<const google::protobuf::Message &, const google::protobuf::Message &>{again, proto},
        {again.graph(), graph}})
    EXPECT_EQ(made.GetReflection()->GetUnknownFields(made).SpaceUsedLong(),
              given.GetReflection()->GetUnknownFields(given).SpaceUsedLong());
}

} // namespace
} // namespace edgec
