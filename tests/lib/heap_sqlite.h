/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SQLite's allocations under heap_fail(); call before the first use of SQLite in the process. */

void heap_wrap_sqlite(void);
