#include "data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fstream>

#include "support/file.h"
#include "support/half.h"

namespace edgec {
namespace {

using testing::HasSubstr;

Storage stored(std::string_view content) { return Storage::copy(std::as_bytes(std::span(content))); }

/// A version 1 .npy of this dictionary and these element bytes.
std::string npy(const std::string &dictionary, std::string_view elements = "") {
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(dictionary.size() & 0xff);
  text += static_cast<char>(dictionary.size() >> 8);
  return text + dictionary + std::string(elements);
}
std::string npy(const std::string &type, const std::string &shape, std::string_view elements, bool fortran = false) {
  return npy(
      fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", type, fortran ? "True" : "False", shape),
      elements);
}

std::string message(const std::string &file, DType raw = DType::undefined) {
  const auto tensor = parse_npy(stored(file), raw);
  if (tensor) return "parsed";
  EXPECT_EQ(tensor.error().code, Code::bad_input);
  return tensor.error().message;
}

Tensor read_back(const Tensor &tensor) {
  const auto again = parse_npy(Storage::take(format_npy(tensor)));
  EXPECT_TRUE(again) << again.error().message;
  return again ? *again : Tensor{};
}

TEST(Npy, TypesOfNumpyComeBackTheSame) {
  const std::vector<double> values{0, 1, 1, 0, 1, 0};
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::uint8, DType::int8, DType::uint16,
                            DType::int16, DType::int32, DType::int64, DType::uint32, DType::uint64, DType::boolean}) {
    const Tensor tensor = from_doubles(dtype, {2, 3}, values);
    EXPECT_TRUE(identical(read_back(tensor), tensor)) << name(dtype);
  }
  const Tensor complex{DType::complex64, {2}, Storage::take(std::vector<float>{1, 2, 3, 4}), nullptr};
  EXPECT_TRUE(identical(read_back(complex), complex));
}

TEST(Npy, OtherTypesAreStoredWithoutLoss) {
  const std::vector<double> values{-2, 1, 0.5, -1.5};
  for (const DType dtype : {DType::bfloat16, DType::float8e4m3fn, DType::float8e5m2, DType::float4e2m1}) {
    const Tensor again = read_back(from_doubles(dtype, {4}, values));
    EXPECT_EQ(again.dtype, DType::float32) << name(dtype);
    EXPECT_EQ(to_doubles(again), values) << name(dtype);
  }
  const Tensor codes = read_back(from_int64s(DType::int4, {3}, std::vector<std::int64_t>{-8, 7, -1}));
  EXPECT_EQ(codes.dtype, DType::int8);
  EXPECT_EQ(to_int64s(codes), (std::vector<std::int64_t>{-8, 7, -1}));
  EXPECT_EQ(read_back(from_int64s(DType::uint2, {1}, std::vector<std::int64_t>{3})).dtype, DType::uint8);
}

TEST(Npy, ShapesComeBack) {
  for (const Dims &dims : std::vector<Dims>{{}, {1}, {0}, {2, 0, 3}, {1, 1, 1, 1, 1}}) {
    const auto count = static_cast<std::size_t>(*element_count(dims));
    EXPECT_EQ(read_back(Tensor::of<float>(dims, std::vector<float>(count))).dims, dims);
  }
}

TEST(Npy, StringsComeBackAsUtf8) {
  const Tensor tensor = Tensor::of_strings({2, 2}, {"", "a", "\xc3\xa4\xe2\x82\xac", "\xf0\x9f\x98\x80"});
  EXPECT_TRUE(identical(read_back(tensor), tensor));
  const auto bytes = parse_npy(stored(npy("|S3", "(2,)", std::string("ab\0xyz", 6))));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes->strings, (std::vector<std::string>{"ab", "xyz"}));
}

TEST(Npy, TheHeaderIsNumpysOwn) {
  const auto bytes = format_npy(Tensor::of<float>({3}, {1, 2, 3}));
  const std::string text(reinterpret_cast<const char *>(bytes.data()), 128);
  EXPECT_EQ(text.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_THAT(text, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }   "));
  EXPECT_EQ(text.back(), '\n');
}

TEST(Npy, FortranOrderIsTurned) {
  const std::string columns("\x01\x04\x02\x05\x03\x06", 6);
  const auto tensor = parse_npy(stored(npy("|u1", "(2, 3)", columns, true)));
  ASSERT_TRUE(tensor);
  EXPECT_EQ(to_int64s(*tensor), (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, BigEndianIsTurned) {
  const auto tensor = parse_npy(stored(npy(">i4", "(2,)", std::string("\0\0\1\2\xff\xff\xff\xfe", 8))));
  ASSERT_TRUE(tensor);
  EXPECT_EQ(to_int64s(*tensor), (std::vector<std::int64_t>{258, -2}));
}

TEST(Npy, AcceptsWhatOldPythonsWrote) {
  EXPECT_EQ(message(npy("{\"shape\":(1L,2L),'fortran_order':False,'descr':'|u1'}", "ab")), "parsed");
}

TEST(Npy, RawElementsTakeTheTypeThatIsExpected) {
  const std::string raw = npy("<V2", "(2,)", std::string("\x80\x3f\x00\xc0", 4));
  const auto tensor = parse_npy(stored(raw), DType::bfloat16);
  ASSERT_TRUE(tensor);
  EXPECT_EQ(to_doubles(*tensor), (std::vector<double>{1, -2}));
  const auto codes = parse_npy(stored(npy("|V1", "(3,)", std::string("\x01\x0f\x07", 3))), DType::int4);
  ASSERT_TRUE(codes);
  EXPECT_EQ(to_int64s(*codes), (std::vector<std::int64_t>{1, -1, 7}));
  EXPECT_EQ(message(raw), "numpy's raw type V2 does not say what its elements are");
  EXPECT_EQ(message(raw, DType::float32), "numpy's raw type V2 does not say what its elements are; float was expected");
}

TEST(Npy, NamesWhatIsWrong) {
  EXPECT_EQ(message(""), "the file is empty, a .npy was expected");
  EXPECT_EQ(message("something else"), "is not a .npy (its first bytes differ)");
  EXPECT_EQ(message(std::string("\x93NUMPY\x09\x00\x00\x00", 10)), "version 9 of .npy is not known; 1 to 3 are");
  EXPECT_EQ(message(std::string("\x93NUMPY\x01\x00\xff\x00", 10)), "damaged .npy: it ends inside the header");
  EXPECT_EQ(message(std::string("\x93NUMPY\x02\x00\x00\x00\x00\x10", 12)),
            "damaged .npy: a header of 268435456 bytes; up to 65536 are read");
  EXPECT_EQ(message(npy("<f4", "(2, 3)", "1234")), "truncated .npy: float[2,3] takes 24 bytes, 4 follow the header");
  EXPECT_EQ(message(npy("<f4", "(1,)", "12345678")), "damaged .npy: float[1] takes 4 bytes, 8 follow the header");
  EXPECT_EQ(message(npy("|O", "(1,)", "12345678")), "numpy's type '|O' is not a number, truth value or string");
  EXPECT_EQ(message(npy("<f3", "(1,)", "123")), "numpy's type '<f3' is not a number, truth value or string");
  EXPECT_EQ(message(npy("<U0", "(4611686018427387904,)", "")),
            "numpy's type '<U0' is not a number, truth value or string");
  EXPECT_EQ(message(npy("<M8[D]", "(1,)", "12345678")), "numpy's type '<M8[D]' is not a number, truth value or string");
  EXPECT_THAT(message(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")),
              HasSubstr("structured type"));
  EXPECT_EQ(message(npy("|b1", "(2,)", std::string("\x01\x02", 2))), "damaged .npy: a truth value is neither 0 nor 1");
}

TEST(Npy, RefusesHostileHeaders) {
  EXPECT_EQ(message(npy("<f4", "(-1,)", "")), "damaged .npy: a dimension is not a number");
  EXPECT_EQ(message(npy("<f4", "(99999999999999999999,)", "")), "damaged .npy: a dimension is not a number");
  EXPECT_EQ(message(npy("<f8", "(4294967296, 4294967296)", "")),
            "damaged .npy: its shape has more elements than any file");
  EXPECT_EQ(message(npy("<f8", "(999999999999999999, 9)", "")),
            "damaged .npy: its shape has more elements than any file");
  EXPECT_THAT(message(npy("<f8", "(1000000000000,)", "")), HasSubstr("takes 8000000000000 bytes, 0 follow"));
  std::string ones = "(";
  for (int i = 0; i < 65; ++i) ones += "1,";
  EXPECT_EQ(message(npy("<f4", ones + ")", "1234")), "damaged .npy: more than 64 dimensions");
  EXPECT_THAT(message(npy("{'descr': '<f4', 'descr': '<f4', }")), HasSubstr("unexpected key 'descr'"));
  EXPECT_THAT(message(npy("{'descr': '<f4'}")), HasSubstr("lacks descr, fortran_order or shape"));
  EXPECT_THAT(message(npy("{'descr': '<f4")), HasSubstr("structured type"));
  EXPECT_THAT(message(npy("{")), HasSubstr("a key was expected"));
  EXPECT_THAT(message(npy("(")), HasSubstr("not a dictionary"));
}

class Npz : public testing::Test {
protected:
  std::vector<std::byte> two = *format_npz(std::vector<std::pair<std::string, Tensor>>{
      {"x", Tensor::of<float>({2, 2}, {1, 2, 3, 4})}, {"a/b:0", Tensor::of<std::int64_t>({1}, {7})}});
};

TEST_F(Npz, ArraysComeBackByName) {
  const auto npz = NpzFile::parse(Storage::copy(two));
  ASSERT_TRUE(npz) << npz.error().message;
  EXPECT_EQ(npz->names(), (std::vector<std::string>{"x", "a/b:0"}));
  EXPECT_EQ(to_int64s(*npz->read("a/b:0")), std::vector<std::int64_t>{7});
  EXPECT_EQ(to_doubles(*npz->read("x")), (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(Npz, TheSameArraysGiveTheSameBytes) {
  EXPECT_EQ(two, *format_npz(std::vector<std::pair<std::string, Tensor>>{
                     {"x", Tensor::of<float>({2, 2}, {1, 2, 3, 4})}, {"a/b:0", Tensor::of<std::int64_t>({1}, {7})}}));
}

TEST_F(Npz, NamesAMissingArrayAndThoseThere) {
  const auto npz = NpzFile::parse(Storage::copy(two));
  EXPECT_EQ(npz->read("y").error().message, "array 'y': there is no such array; there are: x, a/b:0");
}

TEST_F(Npz, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < two.size(); ++size)
    EXPECT_FALSE(NpzFile::parse(Storage::copy(ByteView(two).first(size)))) << size;
}

TEST_F(Npz, AChangedElementFailsItsChecksum) {
  const float three = 3;
  const auto needle = std::as_bytes(std::span(&three, 1));
  const auto at = std::search(two.begin(), two.end(), needle.begin(), needle.end());
  ASSERT_NE(at, two.end());
  *at ^= std::byte{1};
  EXPECT_THAT(NpzFile::parse(Storage::copy(two))->read("x").error().message,
              HasSubstr("array 'x': damaged .npz: CRC error"));
}

TEST_F(Npz, RefusesABombBeforeItUnpacksIt) {
  // The central directory's sizes of the first member: claim 4 GB of a few bytes.
  const std::string directory("PK\x01\x02", 4);
  const auto needle = std::as_bytes(std::span(directory));
  const auto at = std::search(two.begin(), two.end(), needle.begin(), needle.end()) - two.begin();
  for (std::ptrdiff_t i = 24; i < 28; ++i) two[static_cast<std::size_t>(at + i)] = std::byte{0xf0};
  const auto npz = NpzFile::parse(Storage::copy(two));
  ASSERT_TRUE(npz);
  EXPECT_EQ(npz->read("x").error().message,
            "array 'x': damaged .npz: 144 compressed bytes cannot hold the 4042322160 that are stated");
}

TEST_F(Npz, ReadsWhatNumpyCompressed) {
  const auto npz = NpzFile::open(EDGEC_SOURCE_DIR "/tests/fuzz/corpus/npy/compressed.npz");
  ASSERT_TRUE(npz) << npz.error().message;
  EXPECT_EQ(to_int64s(*npz->read("y")), (std::vector<std::int64_t>{3, 1, 2}));
  EXPECT_EQ(to_doubles(*npz->read("x")), (std::vector<double>{0, 2, 4, 1, 3, 5})); // written in Fortran order
}

TEST_F(Npz, NamesTheFile) {
  const std::string path = testing::TempDir() + "edgec_not.npz";
  std::ofstream(path) << "PK but no zip";
  EXPECT_EQ(NpzFile::open(path).error().message, path + ": is not a .npz: Not a zip archive");
  EXPECT_THAT(NpzFile::open(path + ".missing").error().message, HasSubstr("edgec_not.npz.missing: cannot open"));
}

TEST(Npy, SavesAtomicallyAndOnlyOnce) {
  const std::string path = testing::TempDir() + "edgec_saved.npy";
  std::filesystem::remove(path);
  const Tensor tensor = Tensor::of<float>({1}, {2});
  ASSERT_TRUE(save_npy(path, tensor, false));
  EXPECT_EQ(save_npy(path, tensor, false).error().code, Code::usage);
  EXPECT_TRUE(identical(*load_npy(path), tensor));
}

} // namespace
} // namespace edgec
