#include "tests/recorded/verdict.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace edgec::recorded {
namespace {

template <class T>
std::vector<double> parts_of(const Tensor &tensor) {
  std::vector<double> parts(tensor.data.size() / sizeof(T));
  const auto *numbers = reinterpret_cast<const T *>(tensor.data.data());
  std::copy(numbers, numbers + parts.size(), parts.begin());
  return parts;
}

std::string difference(const Tensor &found, const Tensor &wanted, const Tolerance &tolerance) {
  if (found.dtype != wanted.dtype || found.dims != wanted.dims)
    return fmt::format("is {}, {} was expected", to_string(Type::of(found)), to_string(Type::of(wanted)));
  if (found.dtype == DType::string) return *found.strings == *wanted.strings ? "" : "other strings were expected";
  // Two last places of a shortened float, as ONNX's own runner allows of bfloat16.
  const double places = found.dtype == DType::bfloat16 ? 0x1p-6 : found.dtype == DType::float16 ? 0x1p-9 : 0;
  const double relative = std::max(tolerance.relative, places);
  const auto a = numbers(found), b = numbers(wanted);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    if (!(std::abs(a[i] - b[i]) <= tolerance.absolute + relative * std::abs(b[i])))
      return fmt::format("element {} of {} is {}, {} was expected", i, a.size(), a[i], b[i]);
  }
  return {};
}

void send(int end, const Verdict &verdict) {
  const std::string message = static_cast<char>('0' + static_cast<int>(verdict.kind)) + verdict.text;
  for (std::size_t sent = 0; sent < message.size();) {
    const auto count = write(end, message.data() + sent, message.size() - sent);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

} // namespace

const char *word(Verdict::Kind kind) {
  static constexpr const char *words[] = {"pass", "refused", "wrong", "crash"};
  return words[static_cast<int>(kind)];
}

Verdict refused_or_wrong(const Error &error) {
  return {error.code == Code::unsupported ? Verdict::Kind::refused : Verdict::Kind::wrong, error.message};
}

std::vector<double> numbers(const Tensor &tensor) {
  if (tensor.dtype == DType::complex64) return parts_of<float>(tensor);
  if (tensor.dtype == DType::complex128) return parts_of<double>(tensor);
  return to_doubles(tensor);
}

std::string difference(const RuntimeValue &found, const RuntimeValue &wanted, const Tolerance &tolerance) {
  if (found.tensor.has_value() != wanted.tensor.has_value() ||
      (found.sequence == nullptr) != (wanted.sequence == nullptr))
    return "a tensor, a sequence and nothing are not the same";
  if (wanted.tensor) return difference(*found.tensor, *wanted.tensor, tolerance);
  if (!wanted.sequence) return {};
  if (found.sequence->size() != wanted.sequence->size()) return "the sequence has another length";
  for (std::size_t i = 0; i < found.sequence->size(); ++i)
    if (auto text = difference((*found.sequence)[i], (*wanted.sequence)[i], tolerance); !text.empty()) return text;
  return {};
}

Verdict run_apart(const std::function<Verdict()> &run, unsigned seconds) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    alarm(seconds);
    Verdict verdict;
    try {
      verdict = run();
    } catch (const std::exception &error) {
      verdict.text = error.what();
    }
    send(ends[1], verdict);
    _exit(0);
  }
  close(ends[1]);
  std::string message;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;)
    message.append(buffer, static_cast<std::size_t>(count));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (message.empty())
    return {Verdict::Kind::crash, fmt::format("signal {}", WIFSIGNALED(status) ? WTERMSIG(status) : 0)};
  return {static_cast<Verdict::Kind>(message[0] - '0'), message.substr(1)};
}

} // namespace edgec::recorded
