// Every element type in every encoding that a TensorProto allows.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

using test::message_of;
using test::model_of;
using testing::HasSubstr;
using P = onnx::TensorProto;

enum class Field { floats, doubles, int32s, int64s, uint64s };

struct Encoding {
  DType dtype;
  Field field;
};

constexpr Encoding encodings[] = {{DType::float32, Field::floats},
                                  {DType::complex64, Field::floats},
                                  {DType::float64, Field::doubles},
                                  {DType::complex128, Field::doubles},
                                  {DType::int64, Field::int64s},
                                  {DType::uint64, Field::uint64s},
                                  {DType::uint32, Field::uint64s},
                                  {DType::int32, Field::int32s},
                                  {DType::int16, Field::int32s},
                                  {DType::uint16, Field::int32s},
                                  {DType::int8, Field::int32s},
                                  {DType::uint8, Field::int32s},
                                  {DType::boolean, Field::int32s},
                                  {DType::float16, Field::int32s},
                                  {DType::bfloat16, Field::int32s},
                                  {DType::float8e4m3fn, Field::int32s},
                                  {DType::float8e4m3fnuz, Field::int32s},
                                  {DType::float8e5m2, Field::int32s},
                                  {DType::float8e5m2fnuz, Field::int32s},
                                  {DType::float8e8m0, Field::int32s},
                                  {DType::float4e2m1, Field::int32s},
                                  {DType::uint4, Field::int32s},
                                  {DType::int4, Field::int32s},
                                  {DType::uint2, Field::int32s},
                                  {DType::int2, Field::int32s}};

/// Five elements of recognisable bytes; bools are 0 and 1, unused bits of the last byte 0.
std::string bytes_of(DType dtype) {
  std::string bytes(byte_size(dtype, 5), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(dtype == DType::boolean ? i % 2 : bits(dtype) < 8 ? 1 : 3 * i + 1);
  return bytes;
}

template <class T>
std::vector<T> read_as(const std::string &bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void put_typed(Encoding encoding, const std::string &bytes, P &tensor) {
  switch (encoding.field) {
  case Field::floats:
    for (const float v : read_as<float>(bytes)) tensor.add_float_data(v);
    break;
  case Field::doubles:
    for (const double v : read_as<double>(bytes)) tensor.add_double_data(v);
    break;
  case Field::int64s:
    for (const auto v : read_as<std::int64_t>(bytes)) tensor.add_int64_data(v);
    break;
  case Field::uint64s:
    if (encoding.dtype == DType::uint64)
      for (const auto v : read_as<std::uint64_t>(bytes)) tensor.add_uint64_data(v);
    else
      for (const auto v : read_as<std::uint32_t>(bytes)) tensor.add_uint64_data(v);
    break;
  case Field::int32s:
    if (bits(encoding.dtype) == 32)
      for (const auto v : read_as<std::int32_t>(bytes)) tensor.add_int32_data(v);
    else if (encoding.dtype == DType::int16)
      for (const auto v : read_as<std::int16_t>(bytes)) tensor.add_int32_data(v);
    else if (bits(encoding.dtype) == 16)
      for (const auto v : read_as<std::uint16_t>(bytes)) tensor.add_int32_data(v);
    else if (encoding.dtype == DType::int8)
      for (const auto v : read_as<std::int8_t>(bytes)) tensor.add_int32_data(v);
    else
      for (const auto v : read_as<std::uint8_t>(bytes)) tensor.add_int32_data(v);
    break;
  }
}

P header(DType dtype) {
  P tensor;
  tensor.set_name("t");
  tensor.set_data_type(static_cast<int>(dtype));
  tensor.add_dims(5);
  return tensor;
}

/// The only constant of a model that holds `tensor`.
Result<Tensor> read(const P &tensor, const std::filesystem::path &folder = "/nonexistent") {
  EDGEC_ASSIGN(const Model model, test::parse(model_of(tensor), {}, folder));
  const Tensor *data = test::constant_of(model.graph);
  return data ? Result<Tensor>(*data) : bad_input("no constant");
}

std::string content(const Result<Tensor> &tensor) {
  if (!tensor) return tensor.error().message;
  const ByteView bytes = tensor->data.bytes();
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

TEST(Encodings, RawTypedAndExternalDataAreTheSame) {
  const std::filesystem::path folder = testing::TempDir();
  for (const Encoding encoding : encodings) {
    const std::string bytes = bytes_of(encoding.dtype);
    P raw = header(encoding.dtype), typed = raw, external = raw;
    raw.set_raw_data(bytes);
    put_typed(encoding, bytes, typed);
    std::ofstream(folder / "encodings.bin", std::ios::binary) << std::string(16, 'x') << bytes;
    external.set_data_location(P::EXTERNAL);
    for (const auto &[key, value] :
         std::map<std::string, std::string>{{"location", "encodings.bin"}, {"offset", "16"}}) {
      external.add_external_data()->set_key(key);
      external.mutable_external_data()->rbegin()->set_value(value);
    }
    EXPECT_EQ(content(read(raw)), bytes) << name(encoding.dtype);
    EXPECT_EQ(content(read(typed)), bytes) << name(encoding.dtype);
    EXPECT_EQ(content(read(external, folder)), bytes) << name(encoding.dtype);
  }
}

TEST(Encodings, StringsRoundTrip) {
  P tensor = header(DType::string);
  for (const char *text : {"a", "", "b\nc", "\xff", "e"}) tensor.add_string_data(text);
  const auto model = test::parse(model_of(tensor));
  ASSERT_TRUE(model) << model.error().message;
  const auto again = parse_onnx(test::storage_of(*serialize_onnx(*model, {})), "");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*test::constant_of(again->graph)->strings, (std::vector<std::string>{"a", "", "b\nc", "\xff", "e"}));
}

TEST(Encodings, WritingAndReadingKeepsEveryElementType) {
  for (const Encoding encoding : encodings) {
    P tensor = header(encoding.dtype);
    tensor.set_raw_data(bytes_of(encoding.dtype));
    const auto model = test::parse(model_of(tensor));
    ASSERT_TRUE(model) << model.error().message;
    const auto bytes = serialize_onnx(*model, {});
    ASSERT_TRUE(bytes) << name(encoding.dtype) << bytes.error().message;
    const auto again = parse_onnx(test::storage_of(*bytes), "");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->graph.values().size(), model->graph.values().size()) << name(encoding.dtype);
    EXPECT_EQ(*serialize_onnx(*again, {}), *bytes);
  }
}

TEST(Encodings, SparseInitializersBecomeDense) {
  onnx::ModelProto proto = test::relu_model();
  auto &sparse = *proto.mutable_graph()->add_sparse_initializer();
  for (const int dim : {2, 3}) sparse.add_dims(dim);
  sparse.mutable_values()->set_name("s");
  sparse.mutable_values()->set_data_type(P::FLOAT);
  sparse.mutable_values()->add_dims(2);
  for (const float v : {1.5F, 2.5F}) sparse.mutable_values()->add_float_data(v);
  sparse.mutable_indices()->set_data_type(P::INT64);
  for (const int dim : {2, 2}) sparse.mutable_indices()->add_dims(dim);
  for (const int i : {0, 1, 1, 2}) sparse.mutable_indices()->add_int64_data(i);
  const auto model = test::parse(proto);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(to_floats(*test::constant_of(model->graph)), (std::vector<float>{0, 1.5F, 0, 0, 0, 2.5F}));
  proto.mutable_graph()->mutable_sparse_initializer(0)->mutable_indices()->set_int64_data(3, 3);
  EXPECT_THAT(message_of(test::parse(proto)), HasSubstr("sparse tensor \"s\" has the index 3 outside its dims"));
  proto.mutable_graph()->mutable_sparse_initializer(0)->set_dims(0, std::int64_t{1} << 40);
  EXPECT_THAT(message_of(test::parse(proto)), HasSubstr("impossible dims"));
}

TEST(Encodings, WhatDoesNotFitIsRefused) {
  const auto refusal = [](auto spoil) {
    P tensor = header(DType::uint8);
    tensor.set_raw_data("abcde");
    spoil(tensor);
    return message_of(test::parse(model_of(tensor)));
  };
  EXPECT_THAT(refusal([](P &t) { t.set_raw_data("abc"); }),
              HasSubstr("tensor \"t\" of uint8[5] needs 5 bytes of data and has 3"));
  EXPECT_THAT(refusal([](P &t) { t.set_raw_data("abcdef"); }), HasSubstr("needs 5 bytes of data and has 6"));
  EXPECT_THAT(refusal([](P &t) { t.clear_raw_data(); }), HasSubstr("needs 5 bytes of data and has 0"));
  EXPECT_THAT(refusal([](P &t) { t.add_int32_data(1); }), HasSubstr("holds its data twice"));
  EXPECT_THAT(refusal([](P &t) { t.set_dims(0, -5); }), HasSubstr("impossible dims [-5]"));
  EXPECT_THAT(refusal([](P &t) {
                for (int i = 0; i < 4; ++i) t.add_dims(std::int64_t{1} << 40);
              }),
              HasSubstr("impossible dims"));
  EXPECT_THAT(refusal([](P &t) { t.set_data_type(0); }), HasSubstr("no valid element type (0)"));
  EXPECT_THAT(refusal([](P &t) { t.set_data_type(99); }), HasSubstr("no valid element type (99)"));
  EXPECT_THAT(refusal([](P &t) { t.set_data_type(P::FLOAT6E2M3); }),
              HasSubstr("element type FLOAT6E2M3, which edgec does not know"));
  EXPECT_THAT(refusal([](P &t) { t.mutable_segment()->set_begin(0); }), HasSubstr("stored in segments"));
  EXPECT_THAT(refusal([](P &t) { t.set_data_type(P::STRING); }), HasSubstr("holds strings as raw data"));
  EXPECT_THAT(refusal([](P &t) {
                t.clear_raw_data();
                for (int i = 0; i < 5; ++i) t.add_int32_data(256);
              }),
              HasSubstr("the element 256, which does not fit 8 bits"));
  EXPECT_THAT(refusal([](P &t) { t.set_data_location(P::EXTERNAL); }), HasSubstr("holds its data twice"));
}

TEST(Encodings, BoolsAreZeroOrOne) {
  P tensor = header(DType::boolean);
  tensor.set_raw_data(std::string("\x00\x01\x02\x80\xff", 5));
  EXPECT_EQ(content(read(tensor)), std::string("\x00\x01\x01\x01\x01", 5));
}

} // namespace
} // namespace edgec
