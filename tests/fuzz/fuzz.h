/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A fuzz target is a file with these two functions. With `meson setup -Dfuzz=true` (clang) it becomes a
 * libFuzzer program to be run for hours; always it becomes a test, in which driver.c plays the fuzzer
 * for some seconds, mutating the sample.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Must survive any input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input that is valid, the same each time. */
void fuzz_sample(struct buf *out);
