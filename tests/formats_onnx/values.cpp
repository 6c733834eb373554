// Test data files: tensors, sequences, optionals.
#include <gmock/gmock.h>
#include <onnx/onnx-data.pb.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx/tensor_proto.h"

namespace edgec {
namespace {

using testing::HasSubstr;

void fill(onnx::TensorProto &tensor, std::initializer_list<float> values) {
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  for (const float value : values) tensor.add_float_data(value);
}

std::filesystem::path write(const google::protobuf::Message &message) {
  const auto file = std::filesystem::path(testing::TempDir()) / "values.pb";
  std::ofstream(file, std::ios::binary) << message.SerializeAsString();
  return file;
}

Type type_of(const Type::Kind kind) {
  Type type;
  type.kind = kind;
  type.element = std::make_shared<const Type>(Type::tensor(DType::float32));
  return type;
}

TEST(TestData, HoldsTensors) {
  onnx::TensorProto proto;
  fill(proto, {1, 2});
  const auto tensor = read_tensor_proto(write(proto));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(to_floats(*tensor), (std::vector<float>{1, 2}));
  proto.add_dims(3);
  const auto broken = read_tensor_proto(write(proto));
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message,
              testing::AllOf(HasSubstr("values.pb: "), HasSubstr("needs 24 bytes of data and has 8")));
}

TEST(TestData, HoldsSequencesAndOptionals) {
  onnx::SequenceProto sequence;
  sequence.set_elem_type(onnx::SequenceProto::TENSOR);
  fill(*sequence.add_tensor_values(), {1, 2});
  fill(*sequence.add_tensor_values(), {3});
  const auto list = read_value_proto(write(sequence), type_of(Type::Kind::sequence));
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->sequence->size(), 2U);
  EXPECT_EQ(to_floats(*list->sequence->at(1).tensor), std::vector<float>{3});
  const auto none = read_value_proto(write(onnx::SequenceProto()), type_of(Type::Kind::sequence));
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->sequence->empty());

  onnx::OptionalProto optional;
  EXPECT_FALSE(read_value_proto(write(optional), type_of(Type::Kind::optional))->tensor);
  fill(*optional.mutable_tensor_value(), {4});
  EXPECT_EQ(to_floats(*read_value_proto(write(optional), type_of(Type::Kind::optional))->tensor),
            std::vector<float>{4});
}

TEST(TestData, MapsAreRefused) {
  const auto map = read_value_proto(write(onnx::SequenceProto()), type_of(Type::Kind::map));
  ASSERT_FALSE(map);
  EXPECT_EQ(map.error().code, Code::unsupported);
}

} // namespace
} // namespace edgec
