// Runs a fuzz target without libFuzzer: the files of a corpus as they are, then seeded mutations of them. The same
// inputs everywhere; a crash, a sanitizer report or an abort fails the test. EDGEC_FUZZ_RUNS changes their number.
//
//   fuzz_NAME CORPUS...     files or folders
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
namespace fs = std::filesystem;

std::vector<Bytes> read_corpus(int argc, char **argv) {
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i]))
      files.emplace_back(argv[i]);
    else
      for (const auto &entry : fs::directory_iterator(argv[i]))
        if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Bytes> corpus;
  for (const fs::path &path : files) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

std::size_t place(edgec::Random &random, std::size_t size) { return static_cast<std::size_t>(random.below(size)); }

/// One small change: a bit, a byte, a little-endian number, a digit, a cut, a repetition, or a piece of another file.
void mutate(Bytes &bytes, const Bytes &other, edgec::Random &random) {
  if (bytes.empty()) {
    bytes = other;
    return;
  }
  const std::size_t at = place(random, bytes.size());
  const std::size_t length = std::min(bytes.size() - at, 1 + place(random, 32));
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  switch (random.below(8)) {
  case 0: bytes[at] ^= static_cast<std::uint8_t>(1U << random.below(8)); break;
  case 1: bytes[at] = static_cast<std::uint8_t>(random.bits()); break;
  case 2: {
    constexpr std::uint8_t extremes[]{0, 1, 0x7f, 0x80, 0xff};
    for (std::size_t i = at; i < std::min(at + (std::size_t{1} << random.below(4)), bytes.size()); ++i)
      bytes[i] = extremes[random.below(5)];
    break;
  }
  case 3: {
    const auto digit = std::find_if(begin, bytes.end(), [](std::uint8_t b) { return b >= '0' && b <= '9'; });
    if (digit != bytes.end())
      bytes.insert(digit, 1 + place(random, 3), static_cast<std::uint8_t>('0' + random.below(10)));
    break;
  }
  case 4: bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(length)); break;
  case 5: bytes.resize(at); break;
  case 6: {
    const Bytes piece(begin, begin + static_cast<std::ptrdiff_t>(length));
    bytes.insert(begin, piece.begin(), piece.end());
    break;
  }
  default:
    if (other.empty()) break;
    const std::size_t from = place(random, other.size());
    std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), std::min(length, other.size() - from), begin);
  }
}

} // namespace

int main(int argc, char **argv) {
  const std::vector<Bytes> corpus = read_corpus(argc, argv);
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus\n");
    return 1;
  }
  for (const Bytes &bytes : corpus) LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  const char *wanted = std::getenv("EDGEC_FUZZ_RUNS");
  const long runs = wanted ? std::strtol(wanted, nullptr, 10) : 10000;
  for (long run = 0; run < runs; ++run) {
    edgec::Random random(static_cast<std::uint64_t>(run));
    Bytes bytes = corpus[place(random, corpus.size())];
    for (std::uint64_t change = 0; change <= random.below(4); ++change)
      mutate(bytes, corpus[place(random, corpus.size())], random);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu files and %ld mutations\n", corpus.size(), runs);
  return 0;
}
