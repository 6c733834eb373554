// Text cases: a graph, what is done to it, and what must come out.
//
// A file holds cases, split by lines `====`. A case:
//
//     # run: passes eliminate-identity
//     # fact: an Identity between two nodes disappears
//     g (float[1,4] x) => (float[1,4] y) { a = Relu(x)  b = Identity(a)  y = Neg(b) }
//     ---- expect
//     # eliminate-identity: Identity#1: removed
//     g (float[1,4] x) => (float[1,4] y) {
//       a = Relu(x)
//       y = Neg(a)
//     }
//
// `---- error` instead of `---- expect` begins the message of a run that must fail. EDGEC_UPDATE=1 rewrites what
// follows these lines with what came out; the diff is for people to review.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace edgec::cases {

struct Case {
  std::vector<std::string> command; ///< words behind `# run:`
  std::string fact;                 ///< what the case pins
  std::string input;                ///< everything above `----`, comments included
  bool fails = false;               ///< `---- error`
  std::string expected;
};

/// What a command made of a case.
struct Outcome {
  bool failed = false;
  std::string text;
};

std::vector<Case> read_cases(const std::filesystem::path &path);
/// The file again, each case with its outcome in place of what was expected.
std::string write_cases(const std::vector<Case> &cases, const std::vector<Outcome> &outcomes);

} // namespace edgec::cases
