/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * SQLite's allocations under heap_fail(); call before the first use of SQLite in the process. In a program
 * linked with this nothing is synced to the disk.
 */

void heap_wrap_sqlite(void);
