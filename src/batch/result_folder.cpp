#include "batch/result_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>

#include "report/view.h"
#include "support/file.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view work_name = "work-";

/// A file's JSON; nothing that is discarded where there is none.
Json json_in(const fs::path &path) {
  const auto file = map_file(path);
  if (!file) return nullptr;
  return Json::parse(std::string_view(reinterpret_cast<const char *>(file->data()), file->size()), nullptr, false);
}

JobFigures figures_of(const View &report) {
  JobFigures figures;
  const View evaluated = report.at("evaluated"),
             verified = report.at(report.has("verified") ? "verified" : "evaluated");
  figures.bytes = report.at("after").number("bytes");
  figures.bytes_before = report.at("before").number("bytes");
  figures.top1 = evaluated.number("top1");
  figures.top1_before = evaluated.number("reference_top1");
  figures.agreement = verified.number("agreement");
  figures.sqnr_db = verified.number("sqnr_db");
  figures.latency_ms = report.at("latency_after").number("median_ms");
  figures.sha256 = report.at("provenance").text("output_sha256");
  for (const View &budget : report.list("budgets"))
    if (!budget.flag("met") && figures.missed.empty())
      figures.missed = fmt::format("{} {:.6g} was asked, {} was found", budget.text("name"),
                                   budget.number_or("limit", 0), budget.at("found").json().dump());
  return figures;
}

Error not_made(const fs::path &path) {
  return resource_error(fmt::format("{}: cannot be made: {}", path.string(), std::strerror(errno)));
}

/// A lock on a folder, held as long as it is open; -1: someone else holds it, or it is gone.
int locked(const fs::path &folder, int how) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && ::flock(fd, how) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

} // namespace

bool JobFailure::may_pass() const {
  return status < 0 || status == static_cast<int>(Code::resource) || status == static_cast<int>(Code::interrupted);
}

Status ResultFolder::open() const {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) return resource_error(fmt::format("{}: cannot be made: {}", path_.string(), error.message()));
  std::vector<fs::path> left;
  for (const auto &entry : fs::directory_iterator(path_, error))
    if (entry.path().filename().string().starts_with(work_name)) left.push_back(entry.path());
  for (const fs::path &folder : left) {
    const int lock = locked(folder, LOCK_EX | LOCK_NB);
    if (lock < 0) continue; // its owner works there
    fs::remove_all(folder, error);
    ::close(lock);
  }
  return {};
}

JobResult ResultFolder::result(const SweepJob &job) const {
  JobResult result;
  const Json report = json_in(of(job) / "report.json");
  if (View(report).text("schema") == "edgec-report/1") {
    result.figures = figures_of(View(report));
    return result;
  }
  const Json failure = json_in(of(job) / "failure.json");
  if (View(failure).text("schema") == "edgec-failure/1")
    result.failure = JobFailure{static_cast<int>(View(failure).number_or("status", 0)), View(failure).text("message")};
  return result;
}

Status ResultFolder::take(const fs::path &folder, const SweepJob &job) const {
  const fs::path place = of(job);
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (::rename(folder.c_str(), place.c_str()) == 0) return {};
    if (errno != EEXIST && errno != ENOTEMPTY) break;
    const JobResult present = result(job);
    if (present.figures || (present.failure && !present.failure->may_pass())) return {};
    std::error_code ignored; // a failure that is overcome, or half a result of a command that was killed
    fs::remove_all(place, ignored);
  }
  return resource_error(fmt::format("{}: cannot be put there: {}", place.string(), std::strerror(errno)));
}

Result<WorkFolder> WorkFolder::make(const fs::path &results) {
  for (;;) {
    std::string path = (results / (std::string(work_name) + "XXXXXX")).string();
    if (::mkdtemp(path.data()) == nullptr) return not_made(path);
    const int lock = locked(path, LOCK_EX);
    struct stat info {};
    if (lock >= 0 && ::fstat(lock, &info) == 0 && info.st_nlink > 0 && fs::exists(path)) return WorkFolder(path, lock);
    if (lock >= 0) ::close(lock); // another process took it for one that is left over: before it was locked
  }
}

WorkFolder::WorkFolder(WorkFolder &&other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

WorkFolder::~WorkFolder() {
  std::error_code ignored; // the next sweep clears it away
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

void name_output(const fs::path &folder, const fs::path &output) {
  Json report = json_in(folder / "report.json");
  if (!View(report).has("provenance")) return;
  report["provenance"]["output"] = output.string();
  std::ofstream(folder / "report.json", std::ios::binary)
      << report.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

Status write_failure(const fs::path &folder, const JobFailure &failure) {
  const Json json{{"schema", "edgec-failure/1"}, {"status", failure.status}, {"message", failure.message}};
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return write_file(folder / "failure.json", text, true);
}

} // namespace edgec
