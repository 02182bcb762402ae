/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Posts what stands on a descriptor: lines `url URL` and `header NAME: VALUE`, an empty line, and the body. Redirects are not
 * followed. With `public_only` no connection is made but to addresses that everybody can reach, whatever
 * names say: not to this machine, nor to networks of one's own. 0: a 2xx answered; else a negative errno.
 */
#include <stdbool.h>

int callback_post(int input, bool public_only);
