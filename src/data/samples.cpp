#include "data/samples.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/class_folders.h"
#include "data/csv.h"
#include "data/fit.h"
#include "data/npy.h"
#include "data/sources.h"
#include "formats/onnx/tensor_proto.h"
#include "support/file.h"
#include "support/text.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t synthetic_count = 16;

/// The entries of a folder whose names `wanted` accepts, in byte order.
template <class F>
Result<std::vector<fs::path>> entries(const fs::path &folder, F &&wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (!entry->path().filename().string().starts_with('.') && wanted(*entry)) found.push_back(entry->path());
  if (error) return bad_input(fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
  std::ranges::sort(found, {}, [](const fs::path &path) { return path.filename().string(); });
  return found;
}

bool is_file(const fs::directory_entry &entry) {
  std::error_code ignored;
  return entry.is_regular_file(ignored);
}

bool has_first_input(const fs::path &folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "input_0.pb", ignored);
}

Samples open_folder(const fs::path &folder, std::span<const InputSpec> inputs,
                    const std::optional<Preprocess> &preprocess) {
  if (has_first_input(folder)) return onnx_test_samples({folder}, inputs);
  EDGEC_ASSIGN(auto images, entries(folder, [](const auto &e) { return has_image_extension(e.path()) && is_file(e); }));
  if (!images.empty()) return image_samples(folder.string(), std::move(images), inputs, preprocess);
  EDGEC_ASSIGN(auto tests, entries(folder, [](const auto &e) { return has_first_input(e.path()); }));
  if (!tests.empty()) return onnx_test_samples(std::move(tests), inputs);
  EDGEC_ASSIGN(ClassFolders classes, find_class_folders(folder));
  if (!classes.files.empty()) return image_samples(folder.string(), std::move(classes.files), inputs, preprocess);
  return bad_input(fmt::format("{}: the folder holds neither images (.jpg, .jpeg, .png, .ppm, .pgm), nor class folders "
                               "of images, nor ONNX test data (input_0.pb)",
                               folder.string()));
}

Samples open_list(const fs::path &path, std::span<const InputSpec> inputs,
                  const std::optional<Preprocess> &preprocess) {
  EDGEC_ASSIGN(const SampleList list, read_list(path));
  const ListedFile &first = list.rows.front();
  std::error_code ignored;
  if (first.file.empty())
    return bad_input(fmt::format("{}: lists no files, lines of file,label were expected", path.string()));
  if (!fs::exists(first.file, ignored)) {
    if (!list.first.empty())
      return bad_input(fmt::format("{}: line {}: '{}' is not a file; is it a header? `file,label` was expected",
                                   path.string(), first.line, list.first));
    return bad_input(fmt::format("{}: line {}: there is no file {}; names are relative to the list's folder",
                                 path.string(), first.line, first.file.string()));
  }
  std::vector<fs::path> files;
  for (const ListedFile &listed : list.rows) files.push_back(listed.file);
  return image_samples(path.string(), std::move(files), inputs, preprocess);
}

Samples open_synthetic(std::string_view path, std::span<const InputSpec> inputs, std::uint64_t seed) {
  std::size_t count = synthetic_count;
  if (path.size() > 9) {
    const auto [end, error] = std::from_chars(path.data() + 10, path.data() + path.size(), count);
    if (error != std::errc{} || end != path.data() + path.size() || count < 1 || count > 1'000'000)
      return usage_error(fmt::format("'{}': synthetic:N wants a number of samples", path));
  }
  return synthetic_samples(count, inputs, seed);
}

/// What a file is by its name, or else by its first bytes.
enum class Kind { npy, npz, list, image, tensor, other };
Kind kind_of(const fs::path &path, ByteView file) {
  const std::string extension = lower_ending(path);
  if (extension == ".npy") return Kind::npy;
  if (extension == ".npz") return Kind::npz;
  if (is_list(path)) return Kind::list;
  if (extension == ".pb") return Kind::tensor;
  if (has_image_extension(path)) return Kind::image;
  const std::string_view start(reinterpret_cast<const char *>(file.data()), std::min<std::size_t>(file.size(), 6));
  if (start == "\x93NUMPY") return Kind::npy;
  if (start.starts_with("PK\x03\x04")) return Kind::npz;
  if (start.starts_with("\xff\xd8\xff") || start.starts_with("\x89PNG")) return Kind::image;
  return Kind::other;
}

Status check_inputs(std::span<const InputSpec> inputs) {
  if (inputs.empty()) return {};
  for (const InputSpec &input : inputs)
    if (!input.type.is_tensor())
      return unsupported(
          fmt::format("input '{}' is {}; samples are made for tensors only", input.name, to_string(input.type)));
  return {};
}

/// The only array that `load_input` can mean: named as the input, else `x`, else the only one there.
Result<Tensor> load_from_npz(const fs::path &path, const InputSpec &input) {
  EDGEC_ASSIGN(const NpzFile npz, NpzFile::open(path));
  std::string name = npz.has(input.name) ? input.name : "x";
  if (!npz.has(name) && npz.names().size() == 1) name = npz.names().front();
  return npz.read(name, input.type.dtype);
}

} // namespace

std::string list_inputs(std::span<const InputSpec> inputs) {
  std::vector<std::string> names;
  for (const InputSpec &input : inputs) names.push_back(input.name);
  return fmt::format("{} ({})", inputs.size(), fmt::join(names, ", "));
}

Samples open_samples(const std::string &path, std::span<const InputSpec> inputs,
                     const std::optional<Preprocess> &preprocess, std::uint64_t seed) {
  EDGEC_CHECK(check_inputs(inputs));
  if (path == "synthetic" || path.starts_with("synthetic:")) return open_synthetic(path, inputs, seed);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return open_folder(path, inputs, preprocess);
  EDGEC_ASSIGN(const Storage file, map_file(path));
  switch (kind_of(path, file.bytes())) {
  case Kind::npy: return npy_samples(path, inputs, preprocess);
  case Kind::npz: return npz_samples(path, inputs, preprocess);
  case Kind::list: return open_list(path, inputs, preprocess);
  case Kind::image: return image_samples(path, {path}, inputs, preprocess);
  case Kind::tensor:
    return bad_input(fmt::format("{}: is one tensor; give the folder of the test data that holds input_0.pb", path));
  default:
    return bad_input(fmt::format(
        "{}: is not an image, .npy, .npz, list of file,label (.csv, .tsv, .txt), or folder of images", path));
  }
}

Result<Tensor> load_input(const fs::path &path, const InputSpec &input, const std::optional<Preprocess> &preprocess) {
  EDGEC_CHECK(check_inputs({&input, 1}));
  EDGEC_ASSIGN(const Storage file, map_file(path));
  const auto stored = [&]() -> Result<Tensor> {
    switch (kind_of(path, file.bytes())) {
    case Kind::npy: return load_npy(path, input.type.dtype);
    case Kind::npz: return load_from_npz(path, input);
    case Kind::tensor: return read_tensor_proto(path);
    default: return bad_input(fmt::format("{}: is not a .npy, .npz, ONNX tensor (.pb) or image", path.string()));
    }
  };
  if (kind_of(path, file.bytes()) == Kind::image) {
    EDGEC_ASSIGN(const auto samples, image_samples(path.string(), {path}, {&input, 1}, preprocess));
    EDGEC_ASSIGN(Sample sample, samples->load(0));
    return std::move(sample.front());
  }
  EDGEC_ASSIGN(const Tensor tensor, stored());
  EDGEC_CHECK(check_fit(tensor.dims, input).in(path.string()));
  return convert(tensor, input).in(path.string());
}

} // namespace edgec
