#include "cli/command.h"

int main(int argc, char **argv) { return edgec::run_program(argc, argv); }
