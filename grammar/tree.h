/* grammar/tree: the tree of one file as JSON, for other programs.
 *
 * The shape is part of the command line's promise (`sluice dump --ast=json`, described in docs/tree.md): members may be
 * added, none changes its meaning under one version. */
#ifndef SLUICE_GRAMMAR_TREE_H
#define SLUICE_GRAMMAR_TREE_H

#include "base/json.h"
#include "grammar/ast.h"

enum { TREE_VERSION = 1 };

/* An object; of a folded file (ast_fold).  The caller owns it. */
struct js *tree_json(const struct ast_file *f);

#endif
