// External data: only regular files beneath the model's folder, and only what lies in them.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

class ExternalData : public testing::Test {
protected:
  fs::path root = fs::path(testing::TempDir()) / "external-data", folder = root / "model";

  void SetUp() override {
    fs::remove_all(root);
    fs::create_directories(folder / "sub");
    write(root / "outside.bin", "outside!");
    write(folder / "w.bin", "12345678");
    write(folder / "sub" / "w.bin", "abcdefgh");
    fs::create_directory_symlink(folder / "sub", folder / "link");
    fs::create_symlink(root / "outside.bin", folder / "out.bin");
    fs::create_symlink(folder / "w.bin", folder / "in.bin");
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  }
  void TearDown() override { fs::remove_all(root); }
  static void write(const fs::path &path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

  /// What the reader says of a float[count] that lies there.
  [[nodiscard]] Result<Model> read(const std::string &location, const std::string &offset = "0",
                                   const std::string &length = {}, std::int64_t count = 2) const {
    onnx::TensorProto tensor;
    tensor.set_name("w");
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_dims(count);
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    const auto add = [&](const char *key, const std::string &value) {
      auto &entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    };
    add("location", location);
    add("offset", offset);
    if (!length.empty()) add("length", length);
    return test::parse(test::model_of(tensor), {}, folder);
  }
};

TEST_F(ExternalData, IsReadBeneathTheModelsFolder) {
  for (const char *location : {"w.bin", "./w.bin", "sub/w.bin", "sub//./w.bin"}) {
    const auto model = read(location, "0", "8");
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_GT(model->source_bytes, 8U);
  }
  EXPECT_TRUE(read("w.bin", "4", "4", 1));
  EXPECT_TRUE(read("w.bin", "3", "4", 1)); // wherever it lies, the tensor is aligned
}

TEST_F(ExternalData, AttacksAreRefused) {
  EXPECT_THAT(message_of(read("../outside.bin")),
              HasSubstr("external data file \"../outside.bin\" leaves the model's folder"));
  EXPECT_THAT(message_of(read("sub/../../outside.bin")), HasSubstr("leaves the model's folder"));
  EXPECT_THAT(message_of(read((root / "outside.bin").string())), HasSubstr("is an absolute path"));
  EXPECT_THAT(message_of(read("out.bin")), HasSubstr("symbolic link"));
  EXPECT_THAT(message_of(read("in.bin")), HasSubstr("symbolic link"));
  EXPECT_THAT(message_of(read("link/w.bin")), HasSubstr("symbolic link"));
  EXPECT_THAT(message_of(read("pipe")), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of(read("sub")), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of(read(".")), HasSubstr("not a regular file"));
  EXPECT_THAT(message_of(read("")), HasSubstr("has no valid name"));
  EXPECT_THAT(message_of(read(std::string("w.bin\0x", 7))), HasSubstr("has no valid name"));
  EXPECT_THAT(message_of(read("w.bin/x")), HasSubstr("through a file"));
  EXPECT_THAT(message_of(read("missing.bin")),
              HasSubstr("tensor \"w\": external data file \"missing.bin\" beside the model cannot be opened"));
}

TEST_F(ExternalData, OffsetsAndLengthsAreChecked) {
  EXPECT_THAT(message_of(read("w.bin", "1")), HasSubstr("\"w.bin\" has 8 bytes, 8 bytes at offset 1 are asked for"));
  EXPECT_THAT(message_of(read("w.bin", "18446744073709551615")), HasSubstr("at offset 18446744073709551615"));
  EXPECT_THAT(message_of(read("w.bin", "18446744073709551616")), HasSubstr("has the offset \"18446744073709551616\""));
  EXPECT_THAT(message_of(read("w.bin", "-1")), HasSubstr("has the offset \"-1\""));
  EXPECT_THAT(message_of(read("w.bin", "0", "4")), HasSubstr("its external data has 4 bytes, its type needs 8"));
  EXPECT_THAT(message_of(read("w.bin", "0", "x")), HasSubstr("has the length \"x\""));
  EXPECT_THAT(message_of(read("w.bin", "0", {}, std::int64_t{1} << 40)), HasSubstr("4398046511104 bytes at offset 0"));
}

/// Adds `values` to its input.
Model addition(const std::vector<float> &values) {
  Model model;
  model.graph.opsets[""] = 13;
  const Dims dims{static_cast<std::int64_t>(values.size())};
  const ValueId x = model.graph.add_input("x", Type::tensor(DType::float32, dims));
  const ValueId w = model.graph.add_constant(Tensor::of<float>(dims, values), "w");
  Node add{.op = "Add", .inputs = {x, w}};
  model.graph.add_output(model.graph.add_op(add, Type::tensor(DType::float32, dims)), "y");
  return model;
}

TEST_F(ExternalData, IsWrittenBesideTheModel) {
  const std::vector<float> values(1000, 1.5F);
  const Model model = addition(values);
  const auto written = write_onnx(model, folder / "m.onnx", {.external_data = true});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(fs::file_size(folder / "m.onnx.data"), 4000U);
  EXPECT_LT(fs::file_size(folder / "m.onnx"), 300U);
  const auto read_back = read_onnx(folder / "m.onnx");
  ASSERT_TRUE(read_back) << read_back.error().message;
  EXPECT_EQ(to_floats(*test::constant_of(read_back->graph)), values);
}

TEST_F(ExternalData, OfTheInputIsNeverOverwritten) {
  const std::vector<float> values(1000, 1.5F);
  ASSERT_TRUE(write_onnx(addition(values), folder / "m.onnx", {.external_data = true}));
  const auto model = read_onnx(folder / "m.onnx");
  ASSERT_TRUE(model) << model.error().message;
  fs::create_hard_link(folder / "m.onnx.data", folder / "other.onnx.data");
  for (const char *name : {"m.onnx", "other.onnx", "m.onnx.data"}) {
    const auto written = write_onnx(*model, folder / name, {.force = true, .external_data = true});
    EXPECT_EQ(written.error().code, Code::usage);
    EXPECT_THAT(written.error().message, HasSubstr("holds weights of the input")) << name;
  }
  EXPECT_TRUE(write_onnx(*model, folder / "other.onnx", {.force = true})); // with its weights inside
  EXPECT_TRUE(read_onnx(folder / "m.onnx"));
}

} // namespace
} // namespace edgec
