/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How busy the machine's processors are at this moment, by /proc/loadavg: a read of the kernel's memory. */

int load_open(void); /* a descriptor for the caller to close; -1: nothing is known here */

/* Threads that run or want to, on the whole machine, the caller included; -1: not known. */
long load_running(int fd);
