/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What this process may still do, whoever takes it over: speak on the sockets it has. No file, no
 * program, no connection of its own.
 */

/* First of all: descriptors but ours are closed, limits are set. */
void seal_begin(void);

/* When everything is loaded and listens. What the kernel cannot do is not done. */
void seal_serving(void);
