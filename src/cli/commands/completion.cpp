// edgec completion: scripts that make shells complete commands, flags, their choices and files, from the same rows as
// --help. What is neither a choice nor a number may be a file.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>

#include "cli/console.h"
#include "cli/declared.h"

namespace edgec::commands {
namespace {

using Commands = std::deque<DeclaredCommand>;

bool takes_file(const Option &option) {
  return option.choices.empty() && (std::holds_alternative<std::string *>(option.target) || option.is_list());
}

/// "-o", "--output".
std::vector<std::string> spellings(const Option &option) {
  const auto comma = option.names.find(',');
  if (comma == std::string::npos) return {option.names};
  return {option.names.substr(0, comma), option.names.substr(comma + 1)};
}

/// What the flag means, its first clause.
std::string brief(const Option &option) { return option.help.substr(0, option.help.find_first_of(";(")); }

/// In single quotes for a shell; `quote` is how it spells one inside.
std::string quoted(std::string_view text, std::string_view quote = "'\\''") {
  std::string result = "'";
  for (const char c : text) c == '\'' ? result += quote : result += c;
  return result + "'";
}

std::vector<std::string> choices_of_argument(DeclaredCommand &command) {
  for (const Option &option : command.options.all())
    if (option.is_argument() && !option.choices.empty()) return option.choices;
  return {};
}

bool takes_argument(DeclaredCommand &command) {
  return !command.options.all().empty() && command.options.all().front().is_argument();
}

std::string names_of(Commands &commands) {
  std::string names;
  for (DeclaredCommand &command : commands) names += fmt::format("{} ", command.def->name);
  return names;
}

/// `case "$command $flag" in`: what may follow a flag.
std::string bash_values(DeclaredCommand &command) {
  std::string numbers, text;
  for (const Option &option : command.options.all()) {
    if (option.is_argument() || option.is_switch()) continue;
    std::vector<std::string> patterns;
    for (const std::string &name : spellings(option))
      patterns.push_back(fmt::format("'{} {}'", command.def->name, name));
    const std::string pattern = fmt::format("{}", fmt::join(patterns, " | "));
    if (!option.choices.empty())
      text += fmt::format("    {}) choices='{}' value={} ;;\n", pattern, fmt::join(option.choices, " "),
                          option.implied.empty() ? "needed" : "optional");
    else if (takes_file(option))
      text += fmt::format("    {}) value=file ;;\n", pattern);
    else
      text += fmt::format("    {}) return ;;\n", pattern);
  }
  return text;
}

std::string bash_script(Commands &commands) {
  std::string text = "# Completion of edgec in bash, made by 'edgec completion bash'.\n_edgec() {\n"
                     "  local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
                     "  local choices= value= flags= arguments=\n  COMPREPLY=()\n"
                     "  if ((COMP_CWORD == 1)); then\n";
  text += fmt::format("    COMPREPLY=($(compgen -W '{}help --help --version' -- \"$cur\"))\n    return\n  fi\n",
                      names_of(commands));
  text += "  # --flag=value is three words to readline\n"
          "  if [[ $cur == = ]]; then cur=; elif [[ $flag == = ]]; then flag=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "  case \"$command $flag\" in\n";
  for (DeclaredCommand &command : commands) text += bash_values(command);
  text += "  esac\n  case $command in\n";
  for (DeclaredCommand &command : commands) {
    std::string flags;
    for (const Option &option : command.options.all())
      if (!option.is_argument()) flags += fmt::format("{} ", fmt::join(spellings(option), " "));
    const auto choices = choices_of_argument(command);
    const std::string arguments =
        choices.empty() ? takes_argument(command) ? "file" : "" : fmt::format("{}", fmt::join(choices, " "));
    if (command.options.is_long()) flags += "--help-all ";
    text += fmt::format("    {}) flags='{}--help' arguments='{}' ;;\n", command.def->name, flags, arguments);
  }
  text += fmt::format("    help) arguments='{}preprocess' ;;\n  esac\n", names_of(commands));
  text += R"(  if [[ $value == needed ]]; then
    COMPREPLY=($(compgen -W "$choices" -- "$cur"))
  elif [[ $value != file && $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ $value == file ]]; then
    compopt -o default
  else
    [[ $arguments == file ]] && compopt -o default || choices+=" $arguments"
    COMPREPLY=($(compgen -W "$choices" -- "$cur"))
  fi
}
complete -F _edgec edgec
)";
  return text;
}

/// The text of a description within a spec of zsh's _arguments.
std::string zsh_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_spec(const Option &option) {
  const std::string action = !option.choices.empty() ? fmt::format("({})", fmt::join(option.choices, " "))
                             : takes_file(option)    ? "_files"
                                                     : " ";
  if (option.is_argument())
    return quoted(fmt::format("{}:{}:{}",
                              option.is_list()  ? "*"
                              : option.required ? ""
                                                : ":",
                              zsh_text(option.names), action));
  std::string value;
  if (!option.is_switch())
    value = fmt::format("{}{}:{}", option.implied.empty() ? ":" : "::", zsh_text(option.value), action);
  const auto names = spellings(option);
  const std::string help = fmt::format("[{}]", zsh_text(brief(option)));
  if (option.is_list()) {
    std::vector<std::string> specs;
    for (const std::string &name : names) specs.push_back(quoted("*" + name + help + value));
    return fmt::format("{}", fmt::join(specs, " "));
  }
  if (names.size() == 1) return quoted(names[0] + help + value);
  return fmt::format("'({0} {1})'{{{0},{1}}}{2}", names[0], names[1], quoted(help + value));
}

std::string zsh_script(Commands &commands) {
  std::string text = "#compdef edgec\n# Completion of edgec in zsh, made by 'edgec completion zsh'.\n_edgec() {\n"
                     "  local curcontext=$curcontext state line\n  typeset -A opt_args\n  local -a commands=(\n";
  for (DeclaredCommand &command : commands)
    text += fmt::format("    {}\n", quoted(fmt::format("{}:{}", command.def->name, zsh_text(command.def->summary))));
  text +=
      "  )\n  _arguments -C '(- *)'{-h,--help}'[explain the program]' '(- *)'{-V,--version}'[what it is made of]' \\\n"
      "    '1: :->command' '*:: :->rest'\n  case $state in\n    command) _describe command commands ;;\n"
      "    rest)\n      case $words[1] in\n";
  for (DeclaredCommand &command : commands) {
    text += fmt::format("        {})\n          _arguments -s '(- *)'{{-h,--help}}'[explain the command]'",
                        command.def->name);
    if (command.options.is_long()) text += " \\\n            '(- *)--help-all[explain every flag]'";
    std::size_t arguments = 0;
    for (const Option &option : command.options.all()) {
      std::string spec = zsh_spec(option);
      if (option.is_argument() && !option.is_list()) spec.insert(1, fmt::to_string(++arguments));
      text += " \\\n            " + spec;
    }
    text += "\n          ;;\n";
  }
  text += fmt::format("        help) _arguments '1:command:({}preprocess)' ;;\n      esac\n      ;;\n  esac\n}}\n",
                      names_of(commands));
  return text + "if [[ $funcstack[1] == _edgec ]]; then _edgec \"$@\"; else compdef _edgec edgec; fi\n";
}

std::string fish_line(std::string_view command, const Option &option) {
  std::string text = fmt::format("complete -c edgec -n '__fish_seen_subcommand_from {}'", command);
  const std::string what = fmt::format(" -d {}\n", quoted(brief(option), "\\'"));
  for (const std::string &name : spellings(option))
    text += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
  const std::string choices = fmt::format("{}", fmt::join(option.choices, " "));
  if (option.is_switch()) return text + what;
  if (option.implied.empty())
    return text + (choices.empty() ? takes_file(option) ? " -rF" : " -x" : fmt::format(" -xa '{}'", choices)) + what;
  // fish knows no value that may be left out: it is a word that may follow
  return text + what +
         fmt::format(
             "complete -c edgec -n '__fish_seen_subcommand_from {}; and test (commandline -opc)[-1] = {}' -a '{}'\n",
             command, option.shown(), choices);
}

std::string fish_script(Commands &commands) {
  std::string text = "# Completion of edgec in fish, made by 'edgec completion fish'.\n";
  const std::string none = "not __fish_seen_subcommand_from help " + names_of(commands);
  text += fmt::format("set -l no_command '{}'\n", none);
  text += "complete -c edgec -n $no_command -f -l help -s h -d 'explain the program'\n"
          "complete -c edgec -n $no_command -f -l version -s V -d 'what it is made of'\n";
  for (DeclaredCommand &command : commands)
    text += fmt::format("complete -c edgec -n $no_command -f -a {} -d {}\n", command.def->name,
                        quoted(command.def->summary, "\\'"));
  text +=
      fmt::format("complete -c edgec -n '__fish_seen_subcommand_from help' -f -a '{}preprocess'\n", names_of(commands));
  for (DeclaredCommand &command : commands) {
    const auto choices = choices_of_argument(command);
    if (!choices.empty() || !takes_argument(command))
      text += fmt::format("complete -c edgec -n '__fish_seen_subcommand_from {}' -f -a '{}'\n", command.def->name,
                          fmt::join(choices, " "));
    if (command.options.is_long())
      text += fmt::format("complete -c edgec -n '__fish_seen_subcommand_from {}' -l help-all -d 'explain every flag'\n",
                          command.def->name);
    for (const Option &option : command.options.all())
      if (!option.is_argument()) text += fish_line(command.def->name, option);
  }
  return text;
}

std::string script(std::string_view shell) {
  Commands commands = declare_commands();
  return shell == "bash" ? bash_script(commands) : shell == "zsh" ? zsh_script(commands) : fish_script(commands);
}

struct Arguments {
  std::string shell, folder;
};

Result<Outcome> run(const Arguments &arguments) {
  if (arguments.folder.empty() && arguments.shell.empty())
    return usage_error("SHELL is missing; see 'edgec completion --help'");
  if (arguments.folder.empty()) {
    print(script(arguments.shell));
    return Outcome::done;
  }
  EDGEC_CHECK(write_texts(arguments.folder,
                          {{"edgec", script("bash")}, {"_edgec", script("zsh")}, {"edgec.fish", script("fish")}}));
  return Outcome::done;
}

CommandRun declare(Options &options) {
  auto arguments = std::make_shared<Arguments>();
  options.argument("SHELL", &arguments->shell, "bash, zsh or fish", false).one_of({"bash", "zsh", "fish"});
  options.add("--folder", "DIR", &arguments->folder, "write all scripts there instead: edgec, _edgec and edgec.fish");
  return [arguments] { return run(*arguments); };
}

} // namespace

extern const CommandDef completion;
const CommandDef completion{"completion",
                            "Print a script that makes a shell complete commands, flags, choices and files",
                            "  edgec completion bash > ~/.local/share/bash-completion/completions/edgec\n"
                            "  edgec completion fish > ~/.config/fish/completions/edgec.fish\n"
                            "  edgec completion zsh > ~/.zfunc/_edgec\n",
                            declare};

} // namespace edgec::commands
