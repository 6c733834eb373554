// Files that are cut off, changed at random, or broken in one place. What lies behind right checksums is reached by
// tests/fuzz/flat.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/flat/container.h"
#include "formats/flat/flat.h"
#include "support/random.h"
#include "tests/formats_flat/models.h"
#include "tests/formats_flat/seal.h"

namespace edgec {
namespace {

using Bytes = std::vector<std::byte>;
using testing::put;
using testing::row;

Bytes file_of(const Model &model, bool plain) { return serialize_flat(model, {.plain = plain, .level = 3}).value(); }

std::string refusal(Bytes file) {
  const auto read = parse_flat(Storage::take(std::move(file)));
  return read ? "read" : read.error().message;
}

TEST(FlatDamage, EveryTruncationIsRefused) {
  for (const bool plain : {false, true}) {
    const Bytes file = file_of(testing::rich_model(), plain);
    for (std::size_t size = 0; size < file.size(); ++size) {
      const auto read = parse_flat(Storage::copy(ByteView(file).first(size)));
      ASSERT_FALSE(read) << size;
      ASSERT_FALSE(read.error().message.empty());
    }
  }
}

/// One to four bytes replaced, bits flipped, or a run moved.
void corrupt(Bytes &file, Random &random) {
  for (std::uint64_t left = 1 + random.below(4); left > 0; --left) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(file.size()));
    const auto other = static_cast<std::ptrdiff_t>(random.below(file.size()));
    const auto most = static_cast<std::uint64_t>(static_cast<std::ptrdiff_t>(file.size()) - std::max(at, other));
    std::byte &byte = file[static_cast<std::size_t>(at)];
    switch (random.below(4)) {
    case 0: byte = static_cast<std::byte>(random.bits()); break;
    case 1: byte ^= static_cast<std::byte>(1U << random.below(8)); break;
    case 2: byte = random.below(2) == 0 ? std::byte{0} : std::byte{0xff}; break;
    default: std::copy_n(file.begin() + other, 1 + random.below(std::min<std::uint64_t>(most, 16)), file.begin() + at);
    }
  }
}

TEST(FlatDamage, TenThousandCorruptionsAreRefused) {
  Random random(20261121);
  const Bytes seeds[] = {file_of(testing::rich_model(), true), file_of(testing::rich_model(), false)};
  int changed = 0;
  for (int i = 0; i < 10000; ++i) {
    const Bytes &seed = seeds[i % 2];
    Bytes file = seed;
    corrupt(file, random);
    if (file == seed) continue;
    ++changed;
    ASSERT_FALSE(parse_flat(Storage::take(std::move(file)))) << i; // every byte is under a checksum, or must be zero
  }
  EXPECT_GT(changed, 9500);
}

struct Broken {
  std::string name;
  std::function<void(Bytes &)> breaking;
  std::string message;
  Code code = Code::bad_input;
};

/// Changed without making the checksums right again.
const Broken careless[] = {
    {"Empty", [](Bytes &f) { f.clear(); }, "is empty, an .edgec file was expected"},
    {"OtherFile", [](Bytes &f) { f[1] = std::byte{'P'}; },
     "is not a .edgec file .its first bytes are not the format's."},
    {"TextMode", [](Bytes &f) { f.erase(f.begin() + 4); }, "was damaged by a transfer in text mode; copy it as binary"},
    {"LfsPointer",
     [](Bytes &f) {
       const std::string_view text = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
       f.assign(reinterpret_cast<const std::byte *>(text.data()),
                reinterpret_cast<const std::byte *>(text.data() + text.size()));
     },
     "is a Git LFS pointer, not the file itself; run `git lfs pull`"},
    {"CutInHeader", [](Bytes &f) { f.resize(40); }, "is cut off: 40 bytes, the header alone takes 64"},
    {"CutLater", [](Bytes &f) { f.pop_back(); }, "its header says .*; it is cut off"},
    {"AddedTo", [](Bytes &f) { f.push_back({}); }, "bytes where its header says"},
    {"Header", [](Bytes &f) { f[45] = std::byte{1}; }, "the checksum of header and section table is wrong"},
    {"Table", [](Bytes &f) { f[70] = std::byte{1}; }, "the checksum of header and section table is wrong"},
    {"Section", [](Bytes &f) { f.back() ^= std::byte{1}; }, "section 2 \\(memory plan\\): its checksum is wrong"},
    {"NewerMajor", [](Bytes &f) { put<std::uint16_t>(f, 8, 2); }, "is of format version 2.1, this program reads 1.x",
     Code::unsupported},
    {"Feature", [](Bytes &f) { put<std::uint32_t>(f, 12, 6); }, "needs features 0x6 that this version does not know",
     Code::unsupported},
};

/// Changed with right checksums: what a wrong or hostile writer would give.
const Broken sealed[] = {
    {"RowSize", [](Bytes &f) { put<std::uint32_t>(f, 36, 32); }, "section table rows of 32 bytes, 64 were expected"},
    {"TablePlace", [](Bytes &f) { put<std::uint64_t>(f, 24, 128); }, "section table at 128, 64 was expected"},
    {"TooManySections", [](Bytes &f) { put<std::uint32_t>(f, 32, 1U << 30); }, "1073741824 sections do not fit into"},
    {"ReservedHeader", [](Bytes &f) { put<std::uint32_t>(f, 48, 1); }, "reserved bytes of the header are not zero"},
    {"ReservedRow", [](Bytes &f) { put<std::uint32_t>(f, row(0) + 44, 1); },
     "section 0 .graph.: reserved bits of its row are not zero"},
    {"Misaligned", [](Bytes &f) { put<std::uint64_t>(f, row(0) + 8, 257); },
     "section 0 .graph.: offset 257 is not a multiple of 64"},
    {"Outside", [](Bytes &f) { put<std::uint64_t>(f, row(1) + 8, UINT64_MAX - 63); },
     "section 1 .tensors.: bytes .* lie outside the file of"},
    {"TooLong", [](Bytes &f) { put<std::uint64_t>(f, row(1) + 16, UINT64_MAX); },
     "section 1 .tensors.: bytes .* lie outside the file of"},
    {"Overlap", [](Bytes &f) { put<std::uint64_t>(f, row(1) + 8, 256); },
     "section 1 .tensors.: offset 256 overlaps what ends at"},
    {"OverTable", [](Bytes &f) { put<std::uint64_t>(f, row(0) + 8, 0); },
     "section 0 .graph.: offset 0 overlaps what ends at 256"},
    {"Trailing", [](Bytes &f) { f.push_back({}); }, "1 bytes behind the last section"},
    {"NoGraph", [](Bytes &f) { put<std::uint32_t>(f, row(0), 2); }, "it has no graph section"},
    {"TwoGraphs", [](Bytes &f) { put<std::uint32_t>(f, row(1), 1); }, "sections 0 and 1 are both graphs"},
    {"NoTensors",
     [](Bytes &f) {
       put<std::uint32_t>(f, row(1), 0x8000);
       put<std::uint16_t>(f, row(1) + 4, 0);
     },
     "graph section: tensor 0: section 1 holds no tensors"},
    {"Required",
     [](Bytes &f) {
       put<std::uint32_t>(f, row(2), 0x8001);
       put<std::uint16_t>(f, row(2) + 4, 1);
     },
     "section 2 .#32769.: its kind is unknown to this version, and it cannot be left out", Code::unsupported},
    {"Compressor", [](Bytes &f) { put<std::uint8_t>(f, row(0) + 7, 9); },
     "section 0 .graph.: compressor 9 is unknown to this version", Code::unsupported},
    {"Transform", [](Bytes &f) { put<std::uint8_t>(f, row(1) + 6, 9); },
     "graph section: tensor 0: section 1 .tensors.: transform 9 is unknown to this version", Code::unsupported},
    {"Bomb",
     [](Bytes &f) {
       put<std::uint8_t>(f, row(1) + 7, 1);
       put<std::uint64_t>(f, row(1) + 24, 1ULL << 40);
     },
     "claim to become .* more than is allowed"},
    {"NoZstd", [](Bytes &f) { put<std::uint8_t>(f, row(1) + 7, 1); }, "section 1 .tensors.: no zstd frame"},
    {"RawSize", [](Bytes &f) { put<std::uint64_t>(f, row(1) + 32, 64); },
     "section 1 .tensors.: .* bytes, 64 were expected"},
    {"FlatBuffer", [](Bytes &f) { put<std::uint32_t>(f, 256, 1U << 30); },
     "graph section: it is not a well-formed FlatBuffer of this format"},
    {"Identifier", [](Bytes &f) { f[260] = std::byte{'X'}; },
     "graph section: it is not a well-formed FlatBuffer of this format"},
    {"Plan", [](Bytes &f) { f[f.size() - 32] = std::byte{9}; }, "memory plan: value 9: "},
    {"PlanPlace", [](Bytes &f) { put<std::uint64_t>(f, f.size() - 16, 1U << 20); },
     "memory plan: value . at 1048576 lies outside the arena"},
    {"PlanOverlap",
     [](Bytes &f) { put<std::uint64_t>(f, f.size() - 16, testing::get<std::uint64_t>(f, f.size() - 48)); },
     "memory plan: values . and . share bytes while both live"},
    {"PlanCount", [](Bytes &f) { put<std::uint64_t>(f, f.size() - 8 - 32 * 3, 4); },
     "memory plan: 4 placements in 112 bytes"},
};

/// x -> Relu -> Relu -> y, with a constant: three sections in the plain profile.
Bytes tiny_file() {
  Model model;
  Graph &graph = model.graph;
  graph.opsets[""] = 13;
  const Type type = Type::tensor(DType::float32, Dims{4});
  ValueId at = graph.add_input("x", type);
  const ValueId one = graph.add_constant(Tensor::of<float>({4}, {1, 2, 3, 4}), "one");
  for (int i = 0; i < 2; ++i) {
    Node node{.op = "Add", .inputs = {at, one}};
    at = graph.add_op(node, type);
  }
  graph.add_output(at, "y");
  return file_of(model, true);
}

void check(const Broken &broken, bool with_seal) {
  Bytes file = tiny_file();
  broken.breaking(file);
  if (with_seal) testing::seal(file);
  const auto read = parse_flat(Storage::take(std::move(file)));
  ASSERT_FALSE(read) << broken.name;
  EXPECT_EQ(read.error().code, broken.code) << broken.name;
  EXPECT_THAT(read.error().message, ::testing::ContainsRegex(broken.message)) << broken.name;
}

TEST(FlatDamage, EachBrokenFileHasItsMessage) {
  ASSERT_EQ(refusal(tiny_file()), "read");
  for (const Broken &broken : careless) check(broken, false);
  for (const Broken &broken : sealed) check(broken, true);
}

TEST(FlatDamage, AnUnknownOptionalSectionIsSkipped) {
  Bytes file = tiny_file();
  put<std::uint32_t>(file, row(2), 77); // the memory plan, which is optional
  put<std::uint8_t>(file, row(2) + 7, 200);
  testing::seal(file);
  EXPECT_EQ(refusal(file), "read");
  const auto info = describe_flat(Storage::take(file));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->sections[2].kind, "#77");
  EXPECT_EQ(info->sections[2].encoding, "#200");
  EXPECT_FALSE(info->sections[2].required);
}

TEST(FlatDamage, ANewerMinorVersionIsRead) {
  Bytes file = tiny_file();
  put<std::uint16_t>(file, 10, 9);
  put<std::uint32_t>(file, 40, 0xffff);
  testing::seal(file);
  EXPECT_EQ(refusal(file), "read");
  EXPECT_EQ(describe_flat(Storage::take(file))->minor, 9);
}

} // namespace
} // namespace edgec
