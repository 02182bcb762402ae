/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/tree_gateway.h"

#include "fs/behaviour.h"
#include "fs/row_ids.h"
#include "fs/views/gateway.h"

static const struct row tokens_rows[] = {
        {.id = ROW_GATEWAY_TOKEN,
                .behaviour = &knob_behaviour,
                .mode = S_IFREG | 0600,
                .flags = ROW_SECRET,
                .each = &tokens_each,
                .show = token_show,
                .set = token_set_text,
                .help = "NAME: `TOKEN SCOPE...`: what the token opens; `rm` ends it"},
        {},
};

const struct row gateway_rows[] = {
        TEXT(ROW_GATEWAY_ADDRESS, "address", gateway_show_address, "where it listens, a line each"),
        TEXT(ROW_GATEWAY_STATUS, "status", gateway_show_status, "whether it runs, what it did"),
        DIR(ROW_GATEWAY_TOKENS, "tokens", tokens_rows, "who may call from elsewhere"),
        {},
};
