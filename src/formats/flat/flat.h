// The flat binary (.edgec): a model as one file that is mapped, not parsed. FORMAT.md describes every byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "support/parallel.h"
#include "support/result.h"
#include "support/storage.h"

namespace edgec {

struct FlatWriteOptions {
  bool plain = false;      ///< nothing packed, and a memory plan: for readers that execute the file from flash
  bool inner_names = true; ///< of values that are neither inputs nor outputs of a graph, of nodes and their origins
  int level = 19;          ///< of zstd, 1..19
  int threads = 1;         ///< the bytes do not depend on it
  bool force = false;      ///< replace an existing file
};

/// Reads a file; "-" is stdin. Tensors that are stored plain stay in the mapped file. Errors name the file;
/// Code::bad_input for damage, Code::unsupported for what only a newer version reads. threads: for unpacking.
Result<Model> read_flat(const std::filesystem::path &path, int threads = hardware_threads());

/// The same from bytes, which the model goes on sharing.
Result<Model> parse_flat(const Storage &file, int threads = 1);

/// Deterministic: the same model and options give the same bytes. Errors: a graph that is not well formed, or one whose
/// structure alone reaches 2 GiB.
Result<std::vector<std::byte>> serialize_flat(const Model &model, const FlatWriteOptions &options = {});

/// serialize_flat and an atomic write.
Status write_flat(const Model &model, const std::filesystem::path &path, const FlatWriteOptions &options = {});

/// Whether bytes begin as such a file does.
bool is_flat(ByteView bytes);

/// A section as `inspect` shows it.
struct FlatSection {
  std::string kind;     ///< "graph", "tensors", "memory plan", "#77" where unknown
  std::string encoding; ///< "plain", "sparse+zstd", ...
  bool required = true;
  std::uint64_t offset = 0, stored_bytes = 0, raw_bytes = 0;
  std::vector<FlatSection> parts; ///< of a section that is packed in parts; offsets are those in the section
};

struct FlatInfo {
  int major = 0, minor = 0;
  bool plain = false;            ///< the plain profile
  std::uint64_t arena_bytes = 0; ///< of the memory plan; 0 without one
  std::vector<FlatSection> sections;
};

/// Lists a file's sections after checking its header, section table and checksums.
Result<FlatInfo> describe_flat(const Storage &file);

} // namespace edgec
