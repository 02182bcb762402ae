/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The sentence behind an errno: filed for the caller in `last_error` of the function and the mount. */

struct request;

/* error < 0: files request->why, or a general sentence; 0: empties the caller's last one. */
void sentence_file(struct request *request, int error);
