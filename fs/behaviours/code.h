/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Working trees: the nodes inside them, whose numbers are given out here (row 0). */

struct fs;
struct code;

int code_new(struct code **out, struct fs *fs);
struct code *code_free(struct code *code);
