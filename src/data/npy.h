// numpy's array files: .npy (one array) and .npz (a zip of them). Format: numpy/lib/format.py, versions 1 to 3.
//
// Types that numpy lacks are written as the smallest type of numpy that holds every value: bfloat16 and the 8- and
// 4-bit floats as float32, 4- and 2-bit integers as int8 or uint8. Nothing of a file is trusted: sizes are checked
// against the bytes that are there before anything is allocated.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/tensor.h"
#include "support/result.h"

namespace edgec {

/// What the first bytes of a .npy say.
struct NpyHeader {
  DType dtype = DType::undefined; ///< undefined: numpy's raw type V, meaning is not in the file
  std::size_t item_size = 0;      ///< bytes an element takes in the file
  bool big_endian = false;
  bool utf32 = false; ///< strings of type U; those of type S are bytes
  bool fortran_order = false;
  Dims dims;
  std::size_t data_offset = 0; ///< where the elements begin
  std::size_t data_size = 0;   ///< their bytes
};

/// Parses the header at the start of `file` (which may end anywhere after it). Errors: not a .npy, damaged, a type
/// that is not a number or string (structured, object, date).
Result<NpyHeader> parse_npy_header(ByteView file);

/// "float[2,3]".
std::string describe(const NpyHeader &header);

/// A header's elements (header.data_size bytes as they lie in the file) as a tensor in row-major order, which shares
/// the bytes where it can. `raw` says what elements of type V are, which is how numpy stores the types of the ml_dtypes
/// package (4-bit ones take a byte each).
Result<Tensor> npy_tensor(const NpyHeader &header, Storage elements, DType raw = DType::undefined);

/// A whole .npy, nothing before or after it.
Result<Tensor> parse_npy(const Storage &file, DType raw = DType::undefined);
Result<Tensor> load_npy(const std::filesystem::path &path, DType raw = DType::undefined);

/// The arrays of a .npz by name.
class NpzFile {
public:
  static Result<NpzFile> open(const std::filesystem::path &path);
  static Result<NpzFile> parse(Storage file);

  /// Names of the arrays, in the order of the file, without ".npy".
  [[nodiscard]] const std::vector<std::string> &names() const { return names_; }
  [[nodiscard]] bool has(std::string_view name) const;
  /// Errors: no such array, a damaged member, one that claims more than its compressed bytes can hold or than half of
  /// the machine's memory.
  [[nodiscard]] Result<Tensor> read(std::string_view name, DType raw = DType::undefined) const;

private:
  Storage file_;
  std::string path_;
  std::vector<std::string> names_;
};

/// The bytes of a .npy: header and elements.
std::vector<std::byte> format_npy(const Tensor &tensor);
/// The bytes of a .npz, not compressed, with fixed times: the same tensors give the same bytes.
Result<std::vector<std::byte>> format_npz(std::span<const std::pair<std::string, Tensor>> arrays);

Status save_npy(const std::filesystem::path &path, const Tensor &tensor, bool force);
Status save_npz(const std::filesystem::path &path, std::span<const std::pair<std::string, Tensor>> arrays, bool force);

} // namespace edgec
