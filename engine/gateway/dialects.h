/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* All dialects, in the order in which they are asked (dialects.c); the last one claims whatever is left. */
#include "gateway/exchange.h"

extern const struct dialect lambda_dialect, lambda_manage_dialect, lambda_stream_dialect,
        functiongraph_dialect, openfaas_dialect, cloudevents_dialect, plain_dialect, routed_dialect;
extern const struct dialect *const dialects[];

/* {"error":SENTENCE}: the refusal of those that have no form of their own. */
void plain_refuse(struct exchange *exchange, int error, const char *sentence);
