/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/dialects.h"

const struct dialect *const dialects[] = {&lambda_dialect, &lambda_manage_dialect,
        &lambda_stream_dialect, &functiongraph_dialect, &openfaas_dialect, &cloudevents_dialect,
        &plain_dialect, &routed_dialect};
