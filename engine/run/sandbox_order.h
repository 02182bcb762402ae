/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What an init that waits in an empty sandbox is told, by one packet on its descriptor 3 with three descriptors,
 * unless there is a program: the channel's two and the output. Behind the numbers: the working directory, the arguments, the environment, each
 * string ended by a zero byte.
 */
#include <stdint.h>

#define SANDBOX_ORDER_MAX  (192u << 10)
#define SANDBOX_ORDER_FDS  3
#define SANDBOX_ORDER_ARGS 512

struct sandbox_order {
	uint32_t
	        program; /* its process, which is there already: only orphans are to be collected; 0: start one */
	uint32_t sockets; /* as in struct launch */
	uint32_t arguments;
	uint32_t variables;
};
