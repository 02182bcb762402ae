/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which names in a working tree are not code: git's, editors' and caches' own. At any depth. */
#include <stdbool.h>

bool worktree_name_is_code(const char *name);
