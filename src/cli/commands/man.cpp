// edgec man: the manual pages, made of the same rows as --help.
#include <fmt/format.h>
#include <memory>

#include "cli/console.h"
#include "cli/declared.h"
#include "job/version.h"
#include "support/option_text.h"
#include "support/table.h"

namespace edgec::commands {
namespace {

/// As roff takes it: nothing of it is a request, hyphens and quotes stay those of a terminal.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
    case '\\': result += "\\e"; break;
    case '-': result += "\\-"; break;
    case '\'': result += "\\(aq"; break;
    case '`': result += "\\(ga"; break;
    case '^': result += "\\(ha"; break;
    case '~': result += "\\(ti"; break;
    case '"': result += "\\(dq"; break;
    default: result += c;
    }
  }
  return result.starts_with('.') ? "\\&" + result : result;
}

/// Text in lines that roff fills again.
std::string paragraph(std::string_view text) {
  constexpr std::size_t width = 72;
  std::string result;
  for (const std::string &line : wrap(text, width)) result += escaped(line) + "\n";
  return result;
}

std::string bold(std::string_view text) { return fmt::format("\\fB{}\\fR", escaped(text)); }
std::string italic(std::string_view text) { return fmt::format("\\fI{}\\fR", escaped(text)); }

std::string page_name(std::string_view command) { return command.empty() ? "edgec" : fmt::format("edgec-{}", command); }

std::string heading(std::string_view command, std::string_view summary) {
  std::string title = page_name(command);
  for (char &c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fmt::format(".TH {} 1 {} \"edgec {}\" \"edgec manual\"\n.SH NAME\n{}", escaped(title), release_date(),
                     version(), paragraph(fmt::format("{} - {}", page_name(command), summary)));
}

/// "-o", "--output FILE": names in bold, what stands for a value in italics.
std::string entry(const Option &option) {
  const std::string shown = option_heading(option);
  std::string names, rest = shown;
  if (!option.is_argument()) {
    const std::size_t end = option.value.empty() ? shown.size() : shown.find(' ', shown.find("--"));
    names = shown.substr(0, end);
    rest = shown.substr(end);
  }
  std::string head = names.empty() ? "" : bold(names);
  if (!rest.empty()) head += italic(rest);
  return ".TP\n" + head + "\n" + paragraph(option_help(option));
}

std::string exit_section() {
  std::string text = ".SH EXIT STATUS\n";
  for (const ExitStatus &one : exit_statuses) text += fmt::format(".TP\n.B {}\n{}", one.status, paragraph(one.meaning));
  return text;
}

std::string program_page() {
  std::string text = heading("", "make trained networks small and fast without making them wrong");
  text += ".SH SYNOPSIS\n.B edgec\n.I COMMAND\n.RI [ MODEL ]\n.RI [ flags ]\n.br\n.B edgec\n.B \\-\\-version\n"
          ".RB [ \\-\\-json ]\n.SH DESCRIPTION\n";
  text += paragraph(
      "edgec reads trained networks in ONNX, optimizes the graph, prunes, shares and quantizes weights, writes "
      "ONNX or its own compact .edgec, reads the written file back and says how faithful it is. Each "
      "command has a page of its own.");
  text += ".SH COMMANDS\n";
  for (const CommandDef *command : all_commands())
    text += fmt::format(".TP\n.BR {} (1)\n{}", escaped(page_name(command->name)), paragraph(command->summary));
  return text + exit_section();
}

std::string command_page(DeclaredCommand &command) {
  std::string text = heading(command.def->name, command.def->summary);
  text += fmt::format(".SH SYNOPSIS\n.B edgec {}\n", escaped(command.def->name));
  std::string arguments;
  for (const Option &option : command.options.all()) {
    if (!option.is_argument()) continue;
    text += option.required ? fmt::format(".I {}\n", escaped(option.names))
                            : fmt::format(".RI [ {} ]\n", escaped(option.names));
    arguments += entry(option);
  }
  text += ".RI [ flags ]\n.SH DESCRIPTION\n" + paragraph(fmt::format("{}.", command.def->summary)) + arguments;
  text += ".SH OPTIONS\n";
  for (const std::string &title : option_groups(command.options.all())) {
    text += fmt::format(".SS {}\n", escaped(title));
    for (const Option &option : command.options.all())
      if (!option.is_argument() && option.group == title) text += entry(option);
  }
  if (!command.def->examples.empty()) text += ".SH EXAMPLES\n.nf\n";
  constexpr std::size_t width = 70;
  std::string_view rest = command.def->examples;
  for (std::size_t end = 0; !rest.empty(); rest.remove_prefix(std::min(rest.size(), end + 1))) {
    end = std::min(rest.find('\n'), rest.size());
    const auto lines = wrap(rest.substr(0, end), width);
    for (const std::string &line : lines)
      text += (&line == &lines.front() ? "" : "    ") + escaped(line) + (&line == &lines.back() ? "\n" : " \\e\n");
  }
  if (!command.def->examples.empty()) text += ".fi\n";
  return text + exit_section() + ".SH SEE ALSO\n.BR edgec (1)\n";
}

/// Of a command; empty: of the program.
std::string page(const std::string &name) {
  if (name.empty()) return program_page();
  auto commands = declare_commands();
  for (DeclaredCommand &command : commands)
    if (command.def->name == name) return command_page(command);
  return {};
}

struct Arguments {
  std::string command, folder;
};

Status write_pages(const std::string &folder) {
  std::vector<std::pair<std::string, std::string>> pages{{"edgec.1", page("")}};
  for (const CommandDef *command : all_commands())
    pages.emplace_back(page_name(command->name) + ".1", page(std::string(command->name)));
  return write_texts(folder, pages);
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  std::vector<std::string> names;
  for (const CommandDef *command : all_commands()) names.emplace_back(command->name);
  options.argument("COMMAND", &arguments->command, "its page (default that of edgec itself)", false)
      .one_of(std::move(names));
  options.add("--folder", "DIR", &arguments->folder, "write all pages there instead: edgec.1, edgec-compress.1, ...");
  return [arguments]() -> Result<Outcome> {
    if (arguments->folder.empty())
      print(page(arguments->command));
    else
      EDGEC_CHECK(write_pages(arguments->folder));
    return Outcome::done;
  };
}

} // namespace

extern const CommandDef man;
const CommandDef man{"man", "Print the manual page of a command, as man reads it",
                     "  edgec man compress | man -l -\n  edgec man --folder ~/.local/share/man/man1\n", declare};

} // namespace edgec::commands
