/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The part of the table (tree.c) that is below `gateway/`. */
#include "fs/row.h"

extern const struct row gateway_rows[];
