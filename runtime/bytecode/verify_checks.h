/* bytecode/verify_checks: the checks behind the table, shared by the files that hold them.  Use bytecode/verify.h. */
#ifndef SLUICE_BYTECODE_VERIFY_CHECKS_H
#define SLUICE_BYTECODE_VERIFY_CHECKS_H

#include "bytecode/verify.h"

#define CHECK(name, doc) verify_function verify_##name;
#include "bytecode/checks.def"
#undef CHECK

#endif
