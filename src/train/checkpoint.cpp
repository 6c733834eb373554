#include "train/checkpoint.h"

#include <cstring>
#include <filesystem>
#include <span>
#include <type_traits>

#include <fmt/format.h>

#include "support/file.h"

namespace edgec {
namespace {

constexpr std::string_view magic = "edgec training state 1\n";

/// Visits the fields in the order in which the file has them.
template <class State, class Visit>
void for_each_field(State &state, Visit &&visit) {
  visit(state.fingerprint);
  for (auto *number : {&state.step, &state.steps, &state.dealt}) visit(*number);
  for (auto *number : {&state.rate, &state.before, &state.after, &state.mean_left, &state.square_left}) visit(*number);
  for (auto *flag : {&state.pruned, &state.judged_pruned}) visit(*flag);
  for (auto *numbers : {&state.values, &state.best, &state.mean, &state.square, &state.squares}) visit(*numbers);
  visit(state.free);
}

class Writer {
public:
  explicit Writer(std::string &bytes) : bytes_(bytes) {}

  template <class T>
  void operator()(const T &field) {
    if constexpr (requires { field.data(); }) {
      const std::uint64_t count = field.size();
      add(&count, sizeof count);
      add(field.data(), count * sizeof *field.data());
    } else {
      add(&field, sizeof field);
    }
  }

private:
  std::string &bytes_;
  void add(const void *from, std::size_t count) { bytes_.append(static_cast<const char *>(from), count); }
};

/// Stops at what is not there.
class Reader {
public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool complete() const { return good_ && bytes_.empty(); }

  template <class T>
  void operator()(T &field) {
    if constexpr (requires { field.data(); }) {
      std::uint64_t count = 0;
      take(&count, sizeof count);
      if (!good_ || count > bytes_.size() / sizeof *field.data()) return fail();
      field.resize(count);
      take(field.data(), count * sizeof *field.data());
    } else if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      take(&byte, 1);
      field = byte != 0;
    } else {
      take(&field, sizeof field);
    }
  }

private:
  std::span<const std::byte> bytes_;
  bool good_ = true;

  void fail() { good_ = false; }
  void take(void *to, std::size_t count) {
    if (!good_ || bytes_.size() < count) return fail();
    if (count > 0) std::memcpy(to, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
  }
};

/// At each step a batch is drawn for the gradient, and one more where weights go.
bool is_sound(const TrainingState &state, std::size_t count) {
  const auto fits = [&](const auto &numbers) { return numbers.size() == count; };
  return fits(state.values) && fits(state.best) && fits(state.mean) && fits(state.square) && fits(state.free) &&
         (state.squares.empty() || fits(state.squares)) && state.step <= state.steps &&
         state.dealt <= 2 * state.step + 1;
}

} // namespace

Status write_checkpoint(const std::string &path, const TrainingState &state) {
  std::string bytes(magic);
  for_each_field(state, Writer(bytes));
  return write_file(path, bytes, true);
}

Result<std::optional<TrainingState>> read_checkpoint(const std::string &path, const std::string &fingerprint,
                                                     std::size_t count) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return std::optional<TrainingState>();
  EDGEC_ASSIGN(const Storage file, read_file(path));
  const std::span<const std::byte> bytes(file.data(), file.size());
  const bool named = bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  TrainingState state;
  Reader reader(bytes.subspan(named ? magic.size() : 0));
  if (named) for_each_field(state, reader);
  if (!named || !reader.complete())
    return usage_error(fmt::format("{}: is not a state of training, or not all of it", path));
  if (state.fingerprint != fingerprint)
    return usage_error(fmt::format("{}: is the state of another training: of another network, other samples or other "
                                   "flags; give another folder",
                                   path));
  if (!is_sound(state, count))
    return usage_error(fmt::format("{}: is not a state of training, or not all of it", path));
  return std::optional(std::move(state));
}

} // namespace edgec
