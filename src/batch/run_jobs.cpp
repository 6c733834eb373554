#include "batch/run_jobs.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <optional>

#include "support/cancel.h"
#include "support/file.h"
#include "support/process.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

struct Running {
  pid_t process;
  const SweepJob *job;
  fs::path folder;
};

fs::path log_of(const fs::path &folder) { return folder.string() + ".log"; }

/// In the new process: ends with this one, is the first to go where memory is short, and says what it says to a file.
/// Only calls that are safe between fork and exec.
[[noreturn]] void become(const char *program, char *const *words, const char *log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); score >= 0) {
    [[maybe_unused]] const auto written = ::write(score, "500", 3);
    ::close(score);
  }
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC), text = ::open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO), ::dup2(nothing, STDOUT_FILENO);
  if (text >= 0) ::dup2(text, STDERR_FILENO);
  ::execv(program, words);
  ::_exit(127);
}

Result<pid_t> start(const std::string &program, std::vector<std::string> words, const fs::path &log) {
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid(), process = ::fork();
  if (process < 0) return resource_error(fmt::format("no process can be started: {}", std::strerror(errno)));
  if (process == 0) become(program.c_str(), arguments.data(), log.c_str(), parent);
  return process;
}

/// The sentence that the program ended with.
std::string last_error(const fs::path &log) {
  constexpr std::string_view mark = "edgec: error: ";
  std::ifstream stream(log);
  std::string line, found;
  while (std::getline(stream, line))
    if (line.starts_with(mark)) found = line.substr(mark.size());
  return found;
}

JobFailure failure_of(int status, const fs::path &log) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return {-signal, fmt::format("ended by signal {} ({}){}", signal, ::strsignal(signal),
                                 signal == SIGKILL ? ": memory may have run out" : "")};
  }
  std::string message = last_error(log);
  if (message.empty()) message = fmt::format("ended with status {}", WEXITSTATUS(status));
  return {WEXITSTATUS(status), std::move(message)};
}

class JobRunner {
public:
  JobRunner(const ResultFolder &results, const RunJobs &how, fs::path work)
      : results_(results), how_(how), work_(std::move(work)) {}

  Status run(const std::vector<SweepJob> &jobs) {
    const SignalWait signals;
    for (std::size_t next = 0; next < jobs.size() || !running_.empty();) {
      if (interrupted()) return stop();
      if (next < jobs.size() && running_.size() < static_cast<std::size_t>(how_.at_once)) {
        if (auto begun = begin(jobs[next++]); !begun) {
          (void)stop();
          return begun;
        }
        continue;
      }
      EDGEC_CHECK(reap());
    }
    return {};
  }

private:
  /// SIGCHLD waits until it is asked for: none is missed between looking and sleeping.
  class SignalWait {
  public:
    SignalWait() {
      ::sigemptyset(&wanted_);
      ::sigaddset(&wanted_, SIGCHLD);
      ::sigprocmask(SIG_BLOCK, &wanted_, &before_);
    }
    SignalWait(const SignalWait &) = delete;
    SignalWait &operator=(const SignalWait &) = delete;
    ~SignalWait() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t wanted_{}, before_{};
  };

  const ResultFolder &results_;
  const RunJobs &how_;
  fs::path work_;
  std::vector<Running> running_;

  Status begin(const SweepJob &job) {
    const fs::path folder = work_ / job.key;
    std::error_code error;
    fs::create_directory(folder, error);
    if (error) return resource_error(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
    std::vector<std::string> words = command_of(job, folder);
    words.push_back("-q");
    if (std::ranges::find(words, "--threads") == words.end()) {
      words.push_back("--threads");
      words.push_back(fmt::to_string(how_.threads));
    }
    EDGEC_ASSIGN(const pid_t process, start(how_.program, std::move(words), log_of(folder)));
    running_.push_back({process, &job, folder});
    return {};
  }

  /// Waits for a job's end, or a moment, and takes the results of those that ended.
  Status reap() {
    sigset_t ended;
    ::sigemptyset(&ended);
    ::sigaddset(&ended, SIGCHLD);
    const timespec moment{0, 200'000'000};
    ::sigtimedwait(&ended, nullptr, &moment);
    for (std::size_t i = 0; i < running_.size();) {
      int status = 0;
      if (::waitpid(running_[i].process, &status, WNOHANG) != running_[i].process) {
        ++i;
        continue;
      }
      const Running done = std::move(running_[i]);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      if (!interrupted()) EDGEC_CHECK(finish(done, status));
    }
    return {};
  }

  Status finish(const Running &done, int status) {
    std::optional<JobFailure> failure;
    if (WIFEXITED(status) && WEXITSTATUS(status) <= 1) {
      name_output(done.folder, results_.of(*done.job) / done.job->output);
    } else {
      failure = failure_of(status, log_of(done.folder));
      std::error_code ignored;
      fs::remove_all(done.folder, ignored);
      fs::create_directory(done.folder, ignored);
      EDGEC_CHECK(write_failure(done.folder, *failure));
    }
    EDGEC_CHECK(results_.take(done.folder, *done.job));
    std::error_code ignored;
    fs::remove(log_of(done.folder), ignored);
    if (how_.ended) how_.ended(*done.job, failure ? &*failure : nullptr);
    return {};
  }

  Status stop() {
    for (const Running &job : running_) ::kill(job.process, SIGTERM);
    for (const Running &job : running_) ::waitpid(job.process, nullptr, 0);
    running_.clear();
    return check_interrupted();
  }
};

} // namespace

std::vector<std::string> command_of(const SweepJob &job, const fs::path &folder) {
  std::vector<std::string> words{"edgec", "compress"};
  words.insert(words.end(), job.words.begin(), job.words.end());
  for (const std::string &word :
       {std::string("-o"), (folder / job.output).string(), std::string("--report"), (folder / "report.json").string()})
    words.push_back(word);
  return words;
}

Status run_jobs(const std::vector<SweepJob> &jobs, const ResultFolder &results, const RunJobs &how) {
  if (jobs.empty()) return {};
  EDGEC_ASSIGN(const WorkFolder work, WorkFolder::make(results.path()));
  return JobRunner(results, how, work.path()).run(jobs);
}

} // namespace edgec
